#pragma once
// What the tests of the emulation share: a device, a stream, vectors there and back.

#include <cstdint>
#include <vector>

#include "cuda/device.h"
#include "emulation/settings.h"
#include "gpu/on_card.h"

namespace eyrie::cuda::test {

struct Card {
  Device device;
  Stream stream{device};

  /// For what tests and checks share.
  operator gpu::OnCard() { return {device, stream}; }

  template <class T>
  DeviceBuffer put(const std::vector<T>& values) {
    return gpu::OnCard(*this).put(values);
  }

  template <class T>
  std::vector<T> get(const DeviceBuffer& buffer) {
    return gpu::OnCard(*this).get<T>(buffer);
  }
};

/// Seeds tried where an order must not matter.
inline constexpr uint64_t kSeeds = 20;

}  // namespace eyrie::cuda::test
