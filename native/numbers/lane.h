#pragma once
// One float as a vector of one lane: what the functions written over a vector type (exp.h, gelu.h) take on a card, and wherever a
// single value is wanted. Each operation gives the bytes of a lane of cpu/simd/vec_scalar.h. nvcc must not contract or approximate:
// -fmad=false, and its defaults -prec-div=true and -ftz=false.

#include <cmath>
#include <cstdint>

#include "numbers/bits.h"
#include "numbers/hd.h"

namespace eyrie {

struct Lane {
  float v;

  static EYRIE_INLINE Lane set(float x) { return {x}; }
  static EYRIE_INLINE Lane zero() { return {0.0f}; }
};

EYRIE_INLINE Lane operator+(Lane a, Lane b) { return {a.v + b.v}; }
EYRIE_INLINE Lane operator-(Lane a, Lane b) { return {a.v - b.v}; }
EYRIE_INLINE Lane operator*(Lane a, Lane b) { return {a.v * b.v}; }
EYRIE_INLINE Lane operator/(Lane a, Lane b) { return {a.v / b.v}; }
EYRIE_INLINE Lane fma(Lane a, Lane b, Lane c) { return {fmaf(a.v, b.v, c.v)}; }
/// b where either is NaN.
EYRIE_INLINE Lane max(Lane a, Lane b) { return {a.v > b.v ? a.v : b.v}; }
EYRIE_INLINE Lane min(Lane a, Lane b) { return {a.v < b.v ? a.v : b.v}; }
EYRIE_INLINE Lane abs(Lane a) { return {float_of(bits_of(a.v) & 0x7fffffffu)}; }
/// To the nearest integer, ties to even.
EYRIE_INLINE Lane round(Lane a) { return {rintf(a.v)}; }
/// a < b ? x : y
EYRIE_INLINE Lane where_less(Lane a, Lane b, Lane x, Lane y) { return a.v < b.v ? x : y; }
/// 2^n for integral n in [-126, 127]; anything where n is NaN.
EYRIE_INLINE Lane power_of_two(Lane n) {
  const int32_t exponent = n.v == n.v ? static_cast<int32_t>(n.v) : 0;
  return {float_of(static_cast<uint32_t>(exponent + 127) << 23)};
}

}  // namespace eyrie
