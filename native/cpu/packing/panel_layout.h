#pragma once
// Where element (column, k) of a panel of 32 output channels lies.
//   float32    [k][32 columns]
//   bfloat16   [k / 32][2 tiles of 16 columns][16 pairs of k][16 columns][2]
//              A tile is 1 KiB: the right-hand operand of the AMX tile multiply, and row by row of dpbf16.
//   int8       the same order in half the bytes, but that two rows of 16 pairs are interleaved in runs of eight bytes, so
//              that unpacking the bytes of a register gives the two rows:
//              [k / 32][2 tiles][8 double rows][4 groups of 4 columns][2 rows][4 columns][2]
//
// int8 weights are held as sign and magnitude, so that a table of 128 entries turns them into bfloat16, which holds them
// exactly; the scale of a channel is applied to the finished sum. Their k is padded to whole groups of 128 (x_codes.h).

#include <cstdint>

#include "numbers/bfloat16.h"

namespace eyrie {

constexpr int64_t kPanelColumns = 32;
constexpr int64_t kPanelStep = 32;  // values of k, of the bfloat16 and int8 forms
constexpr int64_t kTileBytes = 1024;
constexpr int64_t kCodeTileBytes = 512;
constexpr int64_t kRangeSteps = 8;  // of a slice that several row blocks share, 16 KiB in bfloat16: at most half of L1

EYRIE_INLINE int64_t panel_index_float32(int64_t column, int64_t k) { return k * kPanelColumns + column; }

EYRIE_INLINE int64_t panel_index_bfloat16(int64_t column, int64_t k) {
  return (k / 32 * 2 + column / 16) * 512 + (k % 32 / 2) * 32 + (column % 16) * 2 + k % 2;
}

EYRIE_INLINE int64_t panel_index_int8(int64_t column, int64_t k) {
  const int64_t row = k % 32 / 2;
  return (k / 32 * 2 + column / 16) * kCodeTileBytes + row / 2 * 64 + column % 16 / 4 * 16 + row % 2 * 8 + column % 4 * 2 + k % 2;
}

/// -127..127 to sign (bit 7) and magnitude, and back.
EYRIE_INLINE uint8_t code_of(int8_t v) { return static_cast<uint8_t>(v < 0 ? 0x80 | -v : v); }
EYRIE_INLINE int8_t value_of(uint8_t code) { return static_cast<int8_t>((code & 0x80) != 0 ? -(code & 0x7f) : code); }

}  // namespace eyrie
