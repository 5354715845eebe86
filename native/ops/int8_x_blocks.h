#pragma once
// Packing x into byte blocks (x_blocks.h), sixteen values at a time.

#include <cstring>

#include "ops/x_blocks.h"

namespace eyrie {

/// Lanes::quantise(x, inverse_scale, high, low) does what quantise_x does, for 16 values.
template <class Lanes>
void pack_byte_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps,
                      const float* inverse_scales, void* out) {
  uint8_t* to = static_cast<uint8_t*>(out);
  const int64_t begin = first_step * kStepInt8;
  for (int64_t r = 0; r < kByteBlock; r++) {
    const bf16* from = static_cast<const bf16*>(x) + r * k + begin;
    // What is left of the row; nothing of a row that is missing.
    const int64_t count = r < rows ? (k - begin < steps * kStepInt8 ? k - begin : steps * kStepInt8) : 0;
    for (int64_t i = 0; i < steps * kStepInt8; i += 16) {
      uint8_t* high = to + byte_block_index(r, i);
      uint8_t* low = high + kTileBytes;
      if (i + 16 <= count && inverse_scales[r] != 0) {
        Lanes::quantise(from + i, inverse_scales[r], high, low);
        continue;
      }
      // The end of a row, or a row that counts as zero (its values may be anything, even NaN). Zero is 32,768; past the
      // end it meets weights of zero and may be anything.
      bf16 part[16] = {};
      for (int64_t j = 0; i + j < count && j < 16 && inverse_scales[r] != 0; j++) part[j] = from[i + j];
      Lanes::quantise(part, r < rows ? inverse_scales[r] : 0.0f, high, low);
    }
  }
}

}  // namespace eyrie
