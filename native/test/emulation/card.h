#pragma once
// What the tests of the emulation share: a device, a stream, vectors there and back.

#include <cstdint>
#include <vector>

#include "cuda/device.h"
#include "emulation/settings.h"

namespace eyrie::cuda::test {

struct Card {
  Device device;
  Stream stream{device};

  template <class T>
  DeviceBuffer put(const std::vector<T>& values) {
    DeviceBuffer buffer = device.alloc(values.size() * sizeof(T));
    stream.copy_to_device(buffer.data(), values.data(), buffer.size());
    stream.synchronize();
    return buffer;
  }

  template <class T>
  std::vector<T> get(const DeviceBuffer& buffer) {
    std::vector<T> values(buffer.size() / sizeof(T));
    stream.copy_to_host(values.data(), buffer.data(), buffer.size());
    stream.synchronize();
    return values;
  }
};

/// Seeds tried where an order must not matter.
inline constexpr uint64_t kSeeds = 20;

}  // namespace eyrie::cuda::test
