#pragma once
// `inspectCheckpoint` of native-types.ts.

#include <napi.h>

namespace eyrie {

/// Arguments: directory, config. Gives a promise of a NativeCheckpoint.
Napi::Value inspect_checkpoint_promise(const Napi::CallbackInfo& info);

}  // namespace eyrie
