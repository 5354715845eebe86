#pragma once
// Vectors of the host to and from the card, for checks: each call waits.

#include <vector>

#include "gpu/check_registry.h"
#include "gpu/on_card.h"

namespace eyrie::gpu {

inline OnCard on_card(const CheckContext& context) { return {context.device, context.stream}; }

template <class T>
cuda::DeviceBuffer to_card(const CheckContext& context, const std::vector<T>& values) {
  return on_card(context).put(values);
}

template <class T>
std::vector<T> from_card(const CheckContext& context, const cuda::DeviceBuffer& buffer) {
  return on_card(context).get<T>(buffer);
}

}  // namespace eyrie::gpu
