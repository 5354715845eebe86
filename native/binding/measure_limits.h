#pragma once
// measureLimits of the addon: what this machine can do at most, measured off the main thread.

#include <napi.h>

namespace eyrie {

/// measureLimits(threads): Promise<NativeLimits>
Napi::Value measure_limits_promise(const Napi::CallbackInfo& info);

}  // namespace eyrie
