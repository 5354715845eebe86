#pragma once
// `scoreByLayers` of native-types.ts.

#include <napi.h>

namespace eyrie {

/// Arguments: options, texts. Gives a promise of NativeScores.
Napi::Value score_layers_promise(const Napi::CallbackInfo& info);

}  // namespace eyrie
