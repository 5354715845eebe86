#pragma once
// e^x over a vector type (cpu/simd, or one Lane): the same bytes on every level and on a card.

#include "numbers/hd.h"
#include "numbers/lane.h"

namespace eyrie {

/// The factor p of e^y = p 2^n, for y in [-87.3, 88.3]; n is set.
template <class V>
EYRIE_INLINE V exp_factor(V y, V& n) {
  n = round(y * V::set(1.44269504f));
  // ln 2 in two parts, the first with few enough bits that n times it is exact.
  V r = fma(n, V::set(-0.693359375f), y);
  r = fma(n, V::set(2.12194440e-4f), r);
  V p = V::set(0.001381459878f);
  p = fma(p, r, V::set(0.008368716575f));
  p = fma(p, r, V::set(0.041668388992f));
  p = fma(p, r, V::set(0.166665211319f));
  p = fma(p, r, V::set(0.499999940395f));
  return fma(p * r, r, r) + V::set(1.0f);
}

/// e^x, relative error below 2e-7 for x in [-87, 0] and 3e-7 up to 88; 0 below -87.3 (so e^-inf is exactly 0), e^0
/// exactly 1, NaN for NaN. Coefficients: cpu/lab/fit_polynomials.py.
template <class V>
EYRIE_INLINE V exp(V x) {
  const V low = V::set(-87.3f);
  const V y = max(low, min(V::set(88.3f), x));  // NaN passes both: the second operand wins
  V n;
  const V p = exp_factor(y, n);
  return where_less(x, low, V::zero(), p * power_of_two(n));
}

/// The same of one value.
EYRIE_INLINE float exp_one(float x) { return exp(Lane{x}).v; }

}  // namespace eyrie
