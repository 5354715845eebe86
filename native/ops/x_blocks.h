#pragma once
// The packed forms of x.
//   float blocks   [k][8 rows] float32: a column of eight values to broadcast. For float32 weights, and for bfloat16
//                  weights on levels without dpbf16.
//   pair blocks    per 32 k: [2 tiles of 16 rows][16 rows][32 k] bfloat16: AMX tiles; dpbf16 broadcasts pairs from them.
//   byte blocks    per 64 k: [2 tiles of 16 rows]{[16 rows][64 k] high bytes, [16 rows][64 k] low bytes}: x of an int8
//                  product, as round(x / scale) + 32,768 in 16 bits with one scale per row.
// int8 weights thus meet activations of 16 bits: each row keeps 1/32,767 of its largest value as resolution, so an
// outlier channel does not ruin the rest as it does with 8-bit activations, and the weights need no conversion.

#include <cmath>
#include <cstdint>
#include <cstring>

#include "ops/bfloat16.h"
#include "ops/panel_layout.h"

namespace eyrie {

constexpr int64_t kFloatBlock = 8;
constexpr int64_t kTileBlock = 32;

EYRIE_INLINE int64_t byte_block_index(int64_t row, int64_t k) {  // of the high byte; the low one follows 1,024 later
  return k / 64 * 4096 + row / 16 * 2048 + row % 16 * 64 + k % 64;
}

/// Zero for k past the end: 32,768, since the weights there are zero any offset would do, but sums stay small with 0.
EYRIE_INLINE uint16_t quantise_x(float x, float inverse_scale) {
  return static_cast<uint16_t>(static_cast<int32_t>(std::nearbyintf(x * inverse_scale)) + 32768);
}

}  // namespace eyrie
