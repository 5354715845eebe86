#pragma once
// Random values that host and card make alike from an index: a sample can be checked without a copy of the rest.

#include <cstdint>

#include "cuda/kernels/numbers.h"

namespace eyrie::gpu {

EYRIE_INLINE uint32_t mixed(uint64_t x) {
  x ^= x >> 33;
  x *= 0xff51afd7ed558ccdull;
  x ^= x >> 33;
  x *= 0xc4ceb9fe1a85ec53ull;
  x ^= x >> 33;
  return static_cast<uint32_t>(x);
}

/// In [0, 1), a multiple of 2^-24.
EYRIE_INLINE float uniform_value(uint64_t index, uint64_t seed) {
  return static_cast<float>(mixed(index + (seed + 1) * 0x9e3779b97f4a7c15ull) >> 8) * 0x1p-24f;
}

/// Nearly normal with deviation 1 (the sum of four uniforms): a card draws the power that real data draw.
EYRIE_INLINE float normal_value(uint64_t index, uint64_t seed) {
  float sum = 0.0f;
  for (uint64_t i = 0; i < 4; ++i) sum += uniform_value(index * 4 + i, seed);
  return (sum - 2.0f) * 1.7320508f;
}

}  // namespace eyrie::gpu
