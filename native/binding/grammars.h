#pragma once
// NativeGrammars and NativeGrammar of native-types.ts.

#include <napi.h>

#include <memory>

#include "engine/grammar.h"

namespace eyrie {

/// openGrammars(options): a promise of an object that compiles grammars.
Napi::Value open_grammars_promise(const Napi::CallbackInfo& info);

/// The grammar inside a NativeGrammar; null for null. Throws invalid_request for anything else.
std::shared_ptr<const Grammar> read_grammar(const Napi::Value& value);

}  // namespace eyrie
