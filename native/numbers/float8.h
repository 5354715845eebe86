#pragma once
// FP8 of the form e4m3 as the cards have it ("e4m3fn"): 1 sign, 4 exponent (bias 7) and 3 mantissa bits, no infinity. 0x7f and 0xff are
// NaN, the largest number is 448, the smallest 2^-9. In integer arithmetic, so that the host and the card get the same bits.

#include <cstdint>

#include "numbers/bfloat16.h"

namespace eyrie {

struct e4m3 {
  uint8_t bits;
};
static_assert(sizeof(e4m3) == 1);

inline constexpr float kLargestE4m3 = 448.0f;

EYRIE_INLINE float to_float(e4m3 v) {
  const uint32_t sign = static_cast<uint32_t>(v.bits & 0x80u) << 24;
  const uint32_t exponent = (v.bits >> 3) & 15u, mantissa = v.bits & 7u;
  if ((v.bits & 0x7fu) == 0x7fu) return __builtin_bit_cast(float, sign | 0x7fc00000u);
  if (exponent > 0) return __builtin_bit_cast(float, sign | ((exponent + 120u) << 23) | (mantissa << 20));
  const float magnitude = static_cast<float>(mantissa) * 0.001953125f;  // 2^-9
  return __builtin_bit_cast(float, sign | __builtin_bit_cast(uint32_t, magnitude));
}

/// Round to nearest, ties to even; beyond +-448 (infinity, too) becomes +-448, NaN becomes 0x7f.
EYRIE_INLINE e4m3 to_e4m3(float v) {
  const uint32_t u = __builtin_bit_cast(uint32_t, v), magnitude = u & 0x7fffffffu;
  const uint32_t sign = (u >> 24) & 0x80u;
  if (magnitude > 0x7f800000u) return e4m3{0x7f};
  if (magnitude >= 0x43e00000u) return e4m3{static_cast<uint8_t>(sign | 0x7eu)};  // 448 and more
  uint32_t code = 0;
  if (magnitude >= 0x3c800000u) {  // 2^-6, the smallest normal number: drop 20 bits of the mantissa, a carry goes into the exponent
    code = ((magnitude + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20) - (120u << 3);
  } else if (magnitude > 0x3a800000u) {  // above 2^-10, half of the smallest number, which is a tie with 0
    // A multiple of 2^-9: the mantissa with its leading one, moved right by 141 - exponent, which is 21 to 24 bits.
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u, shift = 141u - (magnitude >> 23);
    const uint32_t half = 1u << (shift - 1), kept = mantissa >> shift;
    code = (mantissa + half - 1u + (kept & 1u)) >> shift;
  }
  return e4m3{static_cast<uint8_t>(sign | code)};
}

}  // namespace eyrie
