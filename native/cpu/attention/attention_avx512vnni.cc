#include "cpu/attention/attention_rows.h"

namespace eyrie {

namespace {

/// Pairs of the cache are widened, which is exact; q and probabilities stay float32.
struct FloatMultiply {
  using Operand = float;

  static EYRIE_INLINE void store_probabilities(Vec v, float* p) { v.store(p); }

  template <int kRows>
  static EYRIE_INLINE void add_products(__m512 (&sum)[kRows][2], const float* pairs, int64_t stride, const bf16* left, const bf16* right) {
    const Vec even[2] = {Vec::load_even(left), Vec::load_even(right)}, odd[2] = {Vec::load_odd(left), Vec::load_odd(right)};
    for (int r = 0; r < kRows; ++r) {
      const Vec first = Vec::set(pairs[r * stride]), second = Vec::set(pairs[r * stride + 1]);
      for (int v = 0; v < 2; ++v) sum[r][v] = fma(second, odd[v], fma(first, even[v], Vec{sum[r][v]})).v;
    }
  }
};

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Avx512Vnni = attend_by_rows<FloatMultiply>;

}  // namespace eyrie
