#pragma once
// Rows in 8 bits: value = code * scale. The rules of host and card, bit for bit.

#include <cmath>
#include <cstdint>

#include "numbers/float8.h"
#include "numbers/hd.h"

namespace eyrie {

inline constexpr float kLargestInt8 = 127.0f;

/// Scale of a row whose largest |value| is `largest`; `codes` is the largest code, 448 or 127. A row of zeros has scale 1, as has a
/// row whose values are all below 2^-100: their reciprocal scale could overflow, so they become zeros. NaN where `largest` is NaN.
EYRIE_INLINE float row_scale(float largest, float codes) { return largest < 0x1p-100f ? 1.0f : largest / codes; }

/// What values are multiplied by before they are rounded to codes.
EYRIE_INLINE float reciprocal(float scale) { return 1.0f / scale; }

/// value * inverse to the nearest integer, ties to even, within +-127; 0 for NaN (the row's scale says that it holds one).
EYRIE_INLINE int8_t to_int8(float value, float inverse) {
  const float q = rintf(value * inverse);
  if (!(q == q)) return 0;
  return static_cast<int8_t>(q > kLargestInt8 ? kLargestInt8 : q < -kLargestInt8 ? -kLargestInt8 : q);
}

}  // namespace eyrie
