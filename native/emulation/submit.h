#pragma once
// The way of a launch or any other work into an emulated stream (cuda/device_host.cc).

#include <functional>

#include "cuda/device.h"

namespace eyrie::emulation {

/// Gives `work` to the stream: it runs at once, late (settings.h) or, while the stream captures, at each replay. What stands in for a
/// library call on a card (a GEMM) goes this way, too; only such work may touch device memory.
void submit(cuda::Stream& stream, std::function<void()> work);

}  // namespace eyrie::emulation
