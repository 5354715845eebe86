#pragma once
// The way of a launch or any other work into an emulated stream (cuda/device_host.cc).

#include <functional>

#include "cuda/device.h"

namespace eyrie::emulation {

/// Runs `work` at once, or records it while the stream captures. What stands in for a library call on a card (a GEMM) goes this way, too.
void submit(cuda::Stream& stream, std::function<void()> work);

}  // namespace eyrie::emulation
