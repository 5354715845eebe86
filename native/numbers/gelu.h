#pragma once
// The exact GELU over a vector type (cpu/simd, or one Lane): the same bytes on every level and on a card.

#include "numbers/exp.h"

namespace eyrie {

/// x Phi(x), with Phi(-a) = e^(-a^2/2) t Q(t), t = 1 / (1 + 0.3 a): a form that keeps its relative accuracy in the
/// negative tail, where 1 + erf(x / sqrt 2) has lost all digits. Coefficients: cpu/lab/fit_polynomials.py.
template <class V>
EYRIE_INLINE V gelu(V x) {
  const V a = abs(x), one = V::set(1.0f);
  const V t = one / fma(a, V::set(0.3f), one);
  V q = V::set(0.035674769431f);
  q = fma(q, t, V::set(-0.15720306336f));
  q = fma(q, t, V::set(0.206353485584f));
  q = fma(q, t, V::set(-0.05368361994f));
  q = fma(q, t, V::set(0.128561615943f));
  q = fma(q, t, V::set(0.099913492798f));
  q = fma(q, t, V::set(0.120753958821f));
  q = fma(q, t, V::set(0.119629301130f));
  const V below = exp(a * a * V::set(-0.5f)) * (t * q);  // Phi(-a)
  return x * where_less(x, V::zero(), below, one - below);
}

/// The same of one value.
EYRIE_INLINE float gelu_one(float x) { return gelu(Lane{x}).v; }

}  // namespace eyrie
