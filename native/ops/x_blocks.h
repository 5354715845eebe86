#pragma once
// The packed forms of x, each a sequence of steps of k.
//   float blocks   [k][8 rows] float32: eight values to broadcast, one after the other. For float32 weights, and for
//                  bfloat16 weights on levels without dpbf16 (then 32 k are a step).
//   pair blocks    per 32 k: [2 tiles][16 rows][32 k] bfloat16: AMX tiles; dpbf16 broadcasts pairs from them.
//   byte blocks    per 64 k: [high bytes, low bytes][16 rows][64 k]: x of an int8 product, as round(x / scale) + 32,768
//                  in 16 bits, with one scale per row.
// So int8 weights meet activations of 16 bits. Each row keeps 1/32,767 of its largest value as resolution, an outlier
// channel does not ruin the others as it does with 8-bit activations, and the weights need no conversion.

#include <cmath>
#include <cstdint>

#include "ops/bfloat16.h"
#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"

namespace eyrie {

constexpr int64_t kFloatBlock = 8;
constexpr int64_t kPairBlock = 32;
constexpr int64_t kByteBlock = 16;

/// Of the high byte; the low one follows 1,024 later.
EYRIE_INLINE int64_t byte_block_index(int64_t row, int64_t k) { return k / 64 * 2048 + row * 64 + k % 64; }

EYRIE_INLINE uint16_t quantise_x(float x, float inverse_scale) {
  return static_cast<uint16_t>(static_cast<int32_t>(std::nearbyintf(x * inverse_scale)) + 32768);
}

/// The shape that all int8 products share.
constexpr ProductKernel int8_product(decltype(ProductKernel::pack_x) pack_x, decltype(ProductKernel::multiply) multiply) {
  return {.row_block = kByteBlock, .k_step = kStepInt8, .x_step_bytes = 2 * kTileBytes, .panel_step_bytes = 2 * kTileBytes,
          .planes = 2, .range_steps = 8, .rows_max = 256, .pack_x = pack_x, .multiply = multiply, .enter = nullptr, .leave = nullptr};
}

/// The shape that the bfloat16 products on pair blocks share.
constexpr ProductKernel pair_product(decltype(ProductKernel::pack_x) pack_x, decltype(ProductKernel::multiply) multiply) {
  return {.row_block = kPairBlock, .k_step = kStepBfloat16, .x_step_bytes = 2 * kTileBytes, .panel_step_bytes = 2 * kTileBytes,
          .planes = 1, .range_steps = 8, .rows_max = 512, .pack_x = pack_x, .multiply = multiply, .enter = nullptr, .leave = nullptr};
}

}  // namespace eyrie
