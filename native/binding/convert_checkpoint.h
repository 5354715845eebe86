#pragma once
// `convertCheckpoint` of native-types.ts.

#include <napi.h>

namespace eyrie {

/// Arguments: options, onProgress. Gives a promise of a NativeConversion.
Napi::Value convert_checkpoint_promise(const Napi::CallbackInfo& info);

}  // namespace eyrie
