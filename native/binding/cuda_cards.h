#pragma once
#include <napi.h>

namespace eyrie {

/// cudaCards() of NativeAddon: a promise, since the first call of a driver takes a while.
Napi::Value cuda_cards_promise(const Napi::CallbackInfo& info);

}  // namespace eyrie
