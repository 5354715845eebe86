#pragma once
// Where element (column, k) of a panel of 32 output channels lies.
//   float32    [k][32 columns]
//   bfloat16   [k / 32][2 tiles of 16 columns][16 pairs of k][16 columns][2]     a tile is 1 KiB
//   int8       [k / 64][2 tiles of 16 columns][16 quads of k][16 columns][4]     a tile is 1 KiB
// The 16-bit and 8-bit forms are the right-hand operand of both the AMX tile multiply and dpbf16 / dpbusd.

#include <cstdint>

#include "ops/bfloat16.h"

namespace eyrie {

constexpr int64_t kPanelColumns = 32;
constexpr int64_t kStepBfloat16 = 32;
constexpr int64_t kStepInt8 = 64;
constexpr int64_t kTileBytes = 1024;

EYRIE_INLINE int64_t panel_index_float32(int64_t column, int64_t k) { return k * kPanelColumns + column; }

EYRIE_INLINE int64_t panel_index_bfloat16(int64_t column, int64_t k) {
  return (k / 32 * 2 + column / 16) * 512 + (k % 32 / 2) * 32 + (column % 16) * 2 + k % 2;
}

EYRIE_INLINE int64_t panel_index_int8(int64_t column, int64_t k) {
  return (k / 64 * 2 + column / 16) * 1024 + (k % 64 / 4) * 64 + (column % 16) * 4 + k % 4;
}

}  // namespace eyrie
