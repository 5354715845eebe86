#include "cpu/attention/attention_rows.h"
#include "cpu/attention/rounded_operands.h"

namespace eyrie {

namespace {

struct PairMultiply : RoundedOperands {
  template <int kRows>
  static EYRIE_INLINE void add_products(__m512 (&sum)[kRows][2], const bf16* pairs, int64_t stride, const bf16* left, const bf16* right) {
    const __m512bh l = (__m512bh)_mm512_loadu_si512(left), h = (__m512bh)_mm512_loadu_si512(right);
    for (int r = 0; r < kRows; ++r) {
      const __m512bh pair = (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(pairs + r * stride));
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], pair, l);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], pair, h);
    }
  }
};

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Avx512Bf16 = attend_by_rows<PairMultiply>;

}  // namespace eyrie
