#pragma once
// Sixteen values of x to two bytes each (x_blocks.h), for AVX-512 and above.

#include <immintrin.h>

#include "ops/simd/vec_avx512.h"

namespace eyrie::avx512 {

struct ByteLanes {
  static EYRIE_INLINE void quantise(const bf16* x, float inverse_scale, uint8_t* high, uint8_t* low) {
    const __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32((Vec::load_bf16(x) * Vec::set(inverse_scale)).v), _mm512_set1_epi32(32768));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high), _mm512_cvtepi32_epi8(_mm512_srli_epi32(q, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low), _mm512_cvtepi32_epi8(q));
  }
};

}  // namespace eyrie::avx512
