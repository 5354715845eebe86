#pragma once
#include <napi.h>

#include "engine/engine_options.h"

namespace eyrie {

/// NativeEngineOptions, member by member. Throws invalid_request for a member of the wrong type; ranges are checked by
/// check_engine_options().
EngineOptions read_options(const Napi::Value& value);

/// A NativeModelConfig; `what` names it in errors.
FalconConfig read_config(const Napi::Value& value, const char* what);

}  // namespace eyrie
