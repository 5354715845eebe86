#pragma once
// A card and a stream of it, with vectors there and back; each transfer waits.

#include <cstddef>
#include <vector>

#include "cuda/device.h"

namespace eyrie::gpu {

/// Refers to them. Cheap to copy.
struct OnCard {
  cuda::Device& device;
  cuda::Stream& stream;

  template <class T>
  cuda::DeviceBuffer put(const std::vector<T>& values) const {
    cuda::DeviceBuffer buffer = device.alloc(values.size() * sizeof(T));
    stream.copy_to_device(buffer.data(), values.data(), buffer.size());
    stream.synchronize();
    return buffer;
  }

  template <class T>
  std::vector<T> get(const void* data, size_t count) const {
    std::vector<T> values(count);
    stream.copy_to_host(values.data(), data, count * sizeof(T));
    stream.synchronize();
    return values;
  }
  template <class T>
  std::vector<T> get(const cuda::DeviceBuffer& buffer) const {
    return get<T>(buffer.data(), buffer.size() / sizeof(T));
  }
};

}  // namespace eyrie::gpu
