#pragma once
// Rows of bfloat16, taken four values at a time, to 8 bits: the rules of numbers/row_scale.h.

#include <cstdint>

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/pass.h"
#include "numbers/row_scale.h"

namespace eyrie::cuda::attention {

/// The larger of `largest` and the four magnitudes, as bits of a float: integers, so that NaN, the largest of them, is not lost.
__device__ __forceinline__ uint32_t largest_magnitude(uint2 four, uint32_t largest) {
  largest = ::max(largest, ::max(four.x << 16 & 0x7fffffffu, four.x & 0x7fff0000u));
  return ::max(largest, ::max(four.y << 16 & 0x7fffffffu, four.y & 0x7fff0000u));
}

template <RowFormat kFormat>
__device__ __forceinline__ uint32_t quantise_four(uint2 four, float inverse) {
  const float v[4] = {to_float(low_half(four.x)), to_float(high_half(four.x)), to_float(low_half(four.y)), to_float(high_half(four.y))};
  if (kFormat == RowFormat::e4m3)
    return pack(to_e4m3(v[0] * inverse), to_e4m3(v[1] * inverse), to_e4m3(v[2] * inverse), to_e4m3(v[3] * inverse));
  uint32_t word = 0;
#pragma unroll
  for (int i = 0; i < 4; ++i) word |= static_cast<uint32_t>(static_cast<uint8_t>(to_int8(v[i], inverse))) << (8 * i);
  return word;
}

}  // namespace eyrie::cuda::attention
