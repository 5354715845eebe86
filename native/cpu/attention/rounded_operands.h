#pragma once
#include <immintrin.h>

#include "cpu/attention/attention_groups.h"

namespace eyrie {

/// q and probabilities rounded to bfloat16, for instructions that multiply nothing else.
struct RoundedOperands {
  using Operand = bf16;
  using Group = AttentionGroup<bf16>;

  /// The rounding instruction takes denormals as zero, and so does the product that follows.
  static EYRIE_INLINE void store_probabilities(Vec v, bf16* p) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(v.v));
  }
};

}  // namespace eyrie
