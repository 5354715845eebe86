#pragma once
// Vectors of the host to and from the card, for checks: each call waits.

#include <cstring>
#include <span>
#include <vector>

#include "gpu/check_registry.h"

namespace eyrie::gpu {

template <class T>
cuda::DeviceBuffer to_card(const CheckContext& context, std::span<const T> values) {
  cuda::DeviceBuffer buffer = context.device.alloc(values.size_bytes());
  context.stream.copy_to_device(buffer.data(), values.data(), values.size_bytes());
  context.stream.synchronize();
  return buffer;
}
template <class T>
cuda::DeviceBuffer to_card(const CheckContext& context, const std::vector<T>& values) {
  return to_card(context, std::span<const T>(values));
}

template <class T>
std::vector<T> from_card(const CheckContext& context, const cuda::DeviceBuffer& buffer) {
  std::vector<T> values(buffer.size() / sizeof(T));
  context.stream.copy_to_host(values.data(), buffer.data(), buffer.size());
  context.stream.synchronize();
  return values;
}

}  // namespace eyrie::gpu
