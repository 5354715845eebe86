#pragma once
// The conversions of numbers.h, run on the card.

#include <cstdint>

#include "cuda/device.h"

namespace eyrie::gpu {

/// Bits of values[i] rounded to bf16 and to e4m3, by to_bf16() and to_e4m3(), then by pack_bf16() and pack_e4m3(). All in device memory:
/// values [count], bits [2][count].
void round_values(cuda::Stream& stream, const float* values, int64_t count, uint16_t* bf16_bits, uint8_t* e4m3_bits);

/// floats[i] = the value of bf16 bits i, for i < 65536; then of e4m3 bits i, for i < 256.
void widen_all(cuda::Stream& stream, float* floats);

}  // namespace eyrie::gpu
