#pragma once
// Walking a row in vectors of sixteen, its end included.

#include <cstdint>

#include "numbers/bfloat16.h"

namespace eyrie {

template <class V>
EYRIE_INLINE V load_lanes(const float* p, int count) {
  return count == 16 ? V::load(p) : V::load_part(p, count);
}

/// The first `count` lanes of v, zeros after them.
template <class V>
EYRIE_INLINE V keep_lanes(V v, int count) {
  if (count == 16) return v;
  float lanes[16];
  v.store(lanes);
  return V::load_part(lanes, count);
}

/// step(i, count) for i = 0, 16, ... with count lanes, 16 but at the end.
template <class Step>
EYRIE_INLINE void for_each_vector(int64_t n, Step step) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) step(i, 16);
  if (i < n) step(i, static_cast<int>(n - i));
}

/// Sum of term(i, count) over a row. Four running sums hide the latency of the additions; their order is fixed.
template <class V, class Term>
EYRIE_INLINE float sum_terms(int64_t n, Term term) {
  V s0 = V::zero(), s1 = V::zero(), s2 = V::zero(), s3 = V::zero();
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    s0 = s0 + term(i, 16);
    s1 = s1 + term(i + 16, 16);
    s2 = s2 + term(i + 32, 16);
    s3 = s3 + term(i + 48, 16);
  }
  for (; i < n; i += 16) s0 = s0 + term(i, n - i < 16 ? static_cast<int>(n - i) : 16);
  return ((s0 + s1) + (s2 + s3)).sum();
}

}  // namespace eyrie
