#pragma once
// Probabilities as integers. A token's mass is its weight e^(z - best) in units of 2^-40, z being its logit and `best` the largest one.
// Sums of masses are exact, so they do not depend on the order or the number of threads in which they are made, and every comparison
// with them is exact: the CPU and a card keep and draw the same tokens from the same logits.
//
//   mass    = floor(weight * 2^40)            weight = exp_one(z - best), the difference rounded to float; the best token has 2^40
//   top_p   : the shortest run of best tokens whose masses reach ceil(top_p * total)
//   min_p   : tokens with mass >= floor(min_p * 2^40)
//   draw    : the lowest id at which the sum of masses up to it exceeds floor(u * total / 2^24), u = 24 random bits
//   log-sum : best + ln(total / 2^40), in double, rounded to float
//
// All with p and weight taken as the exact values of their floats. A token more than 40 ln 2 = 27.7 nats below the best has mass 0: it
// is not drawn (its chance was below 1e-12). Totals stay below 2^63 with up to 2^22 tokens.

#include <cstdint>

#include "numbers/bits.h"
#include "numbers/hd.h"

namespace eyrie {

/// Tokens further than this below the best (in nats) have no mass, with some room for rounding.
inline constexpr float kMassRange = 28.0f;

/// weight in [0, 1].
EYRIE_INLINE uint64_t mass_of(float weight) { return static_cast<uint64_t>(static_cast<int64_t>(weight * 0x1p40f)); }

/// ceil(p * total), at least 1; p in (0, 1), total > 0.
EYRIE_INLINE uint64_t top_p_limit(float p, uint64_t total) {
  // p = significand / 2^shift with at least 24 <= shift.
  const uint32_t exponent = bits_of(p) >> 23, fraction = bits_of(p) & 0x7fffffu;
  const uint64_t significand = exponent == 0 ? fraction : fraction | 0x800000u;
  const uint32_t shift = exponent == 0 ? 149 : 150 - exponent;
  // The product in two parts, its lower 24 bits apart.
  const uint64_t low = significand * (total & 0xffffffu);
  const uint64_t high = significand * (total >> 24) + (low >> 24);
  const uint32_t rest = shift - 24;
  if (rest >= 64) return 1;
  const uint64_t below = (high & ((uint64_t{1} << rest) - 1)) | (low & 0xffffffu);
  return (high >> rest) + (below != 0 ? 1 : 0);
}

/// floor(u24 * total / 2^24), below total; u24 < 2^24.
EYRIE_INLINE uint64_t draw_target(uint32_t u24, uint64_t total) {
  return uint64_t{u24} * (total >> 24) + (uint64_t{u24} * (total & 0xffffffu) >> 24);
}

/// Log of the sum of e^z over a row. Its operations are exactly rounded and have one order: the same bytes everywhere.
EYRIE_INLINE float log_sum_of(float best, uint64_t total) {
  const uint64_t bits = __builtin_bit_cast(uint64_t, static_cast<double>(total));
  int32_t exponent = static_cast<int32_t>(bits >> 52) - 1023;
  double m = __builtin_bit_cast(double, (bits & 0xfffffffffffffu) | 0x3ff0000000000000u);  // [1, 2)
  if (m > 1.4142135623730951) {
    m = m * 0.5;
    exponent++;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), the argument within 0.172: the first term left out is below 1e-17.
  const double s = (m - 1.0) / (m + 1.0), t = s * s;
  double series = 1.0 / 21.0;
  for (int k = 19; k >= 1; k -= 2) series = series * t + 1.0 / static_cast<double>(k);
  return static_cast<float>(static_cast<double>(best) + (static_cast<double>(exponent - 40) * 0.6931471805599453 + 2.0 * s * series));
}

}  // namespace eyrie
