#pragma once
// Sixteen floats in two AVX2 registers. Each operation gives the bytes of its scalar twin (vec_scalar.h).

#include <immintrin.h>

#include "numbers/bfloat16.h"
#include "numbers/float16.h"

namespace eyrie::avx2 {

struct Vec {
  __m256 lo, hi;

  /// All ones in the first n of 8 lanes, n in any range.
  static EYRIE_INLINE __m256i lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)); }
  static EYRIE_INLINE __m256i load_int(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

  static EYRIE_INLINE Vec set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
  static EYRIE_INLINE Vec zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static EYRIE_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
  static EYRIE_INLINE Vec load_part(const float* p, int n) {
    return {_mm256_maskload_ps(p, lanes(n)), _mm256_maskload_ps(p + 8, lanes(n - 8))};
  }
  static EYRIE_INLINE Vec load_bf16(const bf16* p) {
    const auto half = [](const bf16* q) {
      const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q)));
      return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
    };
    return {half(p), half(p + 8)};
  }
  static EYRIE_INLINE Vec load_fp16(const fp16* p) {
    const auto half = [](const fp16* q) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(q))); };
    return {half(p), half(p + 8)};
  }
  static EYRIE_INLINE Vec load_even(const bf16* p) {
    return {_mm256_castsi256_ps(_mm256_slli_epi32(load_int(p), 16)), _mm256_castsi256_ps(_mm256_slli_epi32(load_int(p + 16), 16))};
  }
  static EYRIE_INLINE Vec load_odd(const bf16* p) {
    const __m256i upper = _mm256_set1_epi32(static_cast<int>(0xffff0000u));
    return {_mm256_castsi256_ps(_mm256_and_si256(load_int(p), upper)), _mm256_castsi256_ps(_mm256_and_si256(load_int(p + 16), upper))};
  }
  static EYRIE_INLINE Vec load_codes(const uint8_t* p) {
    const auto half = [](const uint8_t* q) {
      const __m256i code = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(q)));
      const __m256 magnitude = _mm256_cvtepi32_ps(_mm256_and_si256(code, _mm256_set1_epi32(0x7f)));
      return _mm256_or_ps(magnitude, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_srli_epi32(code, 7), 31)));
    };
    return {half(p), half(p + 8)};
  }

  EYRIE_INLINE void store(float* p) const {
    _mm256_storeu_ps(p, lo);
    _mm256_storeu_ps(p + 8, hi);
  }
  EYRIE_INLINE void store_part(float* p, int n) const {
    if (n == 16) return store(p);
    _mm256_maskstore_ps(p, lanes(n), lo);
    _mm256_maskstore_ps(p + 8, lanes(n - 8), hi);
  }
  EYRIE_INLINE void store_bf16(bf16* p) const {
    const auto half = [](__m256 v) {
      const __m256i u = _mm256_castps_si256(v), upper = _mm256_srli_epi32(u, 16);
      const __m256i odd = _mm256_and_si256(upper, _mm256_set1_epi32(1));
      const __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff))), 16);
      const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
      return _mm256_blendv_epi8(rounded, _mm256_or_si256(upper, _mm256_set1_epi32(0x40)), nan);
    };
    // The pack works within 128-bit lanes; the permutation puts the quarters back in order.
    const __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(half(lo), half(hi)), 0xd8);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), packed);
  }
  EYRIE_INLINE void store_bf16_part(bf16* p, int n) const {
    if (n == 16) return store_bf16(p);
    bf16 all[16];
    store_bf16(all);
    for (int i = 0; i < n; ++i) p[i] = all[i];
  }

  EYRIE_INLINE float sum() const {
    const __m256 a = _mm256_add_ps(lo, hi);
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  EYRIE_INLINE float max() const {
    const __m256 a = _mm256_max_ps(lo, hi);
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }
  static EYRIE_INLINE uint32_t bits(__m256 a, __m256 b) {
    return static_cast<uint32_t>(_mm256_movemask_ps(a)) | static_cast<uint32_t>(_mm256_movemask_ps(b)) << 8;
  }
  EYRIE_INLINE uint32_t nan_mask() const { return bits(_mm256_cmp_ps(lo, lo, _CMP_UNORD_Q), _mm256_cmp_ps(hi, hi, _CMP_UNORD_Q)); }
  EYRIE_INLINE uint32_t nonfinite_mask() const {
    const __m256 sign = _mm256_set1_ps(-0.0f), infinity = _mm256_set1_ps(__builtin_inff());
    return bits(_mm256_cmp_ps(_mm256_andnot_ps(sign, lo), infinity, _CMP_NLT_UQ),
                _mm256_cmp_ps(_mm256_andnot_ps(sign, hi), infinity, _CMP_NLT_UQ));
  }
  EYRIE_INLINE uint32_t inexact_mask() const {
    const auto exact = [](__m256 v) {
      const __m256i low = _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0xffff));
      return _mm256_castsi256_ps(_mm256_cmpeq_epi32(low, _mm256_setzero_si256()));
    };
    return ~bits(exact(lo), exact(hi)) & 0xffffu;
  }
  EYRIE_INLINE void store_int8(int8_t* p) const {
    const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(lo), _mm256_cvtps_epi32(hi));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  }
  EYRIE_INLINE uint32_t at_least_mask(float x) const {
    const __m256 v = _mm256_set1_ps(x);
    return bits(_mm256_cmp_ps(lo, v, _CMP_GE_OQ), _mm256_cmp_ps(hi, v, _CMP_GE_OQ));
  }
  EYRIE_INLINE uint32_t equal_mask(float x) const {
    const __m256 v = _mm256_set1_ps(x);
    return bits(_mm256_cmp_ps(lo, v, _CMP_EQ_OQ), _mm256_cmp_ps(hi, v, _CMP_EQ_OQ));
  }

  /// A mass in two parts of 20 bits: w 2^20 and what its fraction times 2^20 adds.
  struct MassSum {
    static constexpr int kShift = 20;
    __m256i high = _mm256_setzero_si256(), low = _mm256_setzero_si256();
    EYRIE_INLINE void add_half(__m256 scaled) {
      const __m256i whole = _mm256_cvttps_epi32(scaled);
      const __m256 fraction = _mm256_sub_ps(scaled, _mm256_cvtepi32_ps(whole));
      high = _mm256_add_epi32(high, whole);
      low = _mm256_add_epi32(low, _mm256_cvttps_epi32(_mm256_mul_ps(fraction, _mm256_set1_ps(0x1p20f))));
    }
    EYRIE_INLINE void add(Vec scaled) {
      add_half(scaled.lo);
      add_half(scaled.hi);
    }
    EYRIE_INLINE uint64_t total() const {
      uint32_t h[8], l[8];
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(h), high);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(l), low);
      uint64_t sum = 0;
      for (int i = 0; i < 8; ++i) sum += (uint64_t{h[i]} << 20) + l[i];
      return sum;
    }
  };

  /// In quarters of 8 x 8.
  template <bool kHalvesApart>
  static EYRIE_INLINE void transpose_words(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride) {
    for (int quarter = 0; quarter < 4; ++quarter) {
      const uint32_t* in = from + quarter / 2 * 8 * stride + quarter % 2 * 8;
      uint32_t* out = to + quarter % 2 * half_stride + quarter / 2 * 8;
      __m256i a[8], b[8];
      for (int i = 0; i < 8; ++i) a[i] = Vec::load_int(in + i * stride);
      for (int i = 0; i < 8; i += 2) {
        b[i] = _mm256_unpacklo_epi32(a[i], a[i + 1]);
        b[i + 1] = _mm256_unpackhi_epi32(a[i], a[i + 1]);
      }
      for (int i = 0; i < 8; i += 4) {
        a[i] = _mm256_unpacklo_epi64(b[i], b[i + 2]);
        a[i + 1] = _mm256_unpackhi_epi64(b[i], b[i + 2]);
        a[i + 2] = _mm256_unpacklo_epi64(b[i + 1], b[i + 3]);
        a[i + 3] = _mm256_unpackhi_epi64(b[i + 1], b[i + 3]);
      }
      if constexpr (kHalvesApart) {  // a lane holds the words of four neighbours
        const __m256i order = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
        for (int i = 0; i < 8; ++i) a[i] = _mm256_shuffle_epi8(a[i], order);
      }
      for (int i = 0; i < 4; ++i) {
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i * to_stride), _mm256_permute2x128_si256(a[i], a[i + 4], 0x20));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + (i + 4) * to_stride), _mm256_permute2x128_si256(a[i], a[i + 4], 0x31));
      }
    }
  }
};

EYRIE_INLINE Vec operator+(Vec a, Vec b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec operator-(Vec a, Vec b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec operator*(Vec a, Vec b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec operator/(Vec a, Vec b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)}; }
EYRIE_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
EYRIE_INLINE Vec abs(Vec a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.lo), _mm256_andnot_ps(sign, a.hi)};
}
EYRIE_INLINE Vec round(Vec a) {
  constexpr int kNearest = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kNearest), _mm256_round_ps(a.hi, kNearest)};
}
EYRIE_INLINE Vec where_less(Vec a, Vec b, Vec x, Vec y) {
  return {_mm256_blendv_ps(y.lo, x.lo, _mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ)),
          _mm256_blendv_ps(y.hi, x.hi, _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ))};
}
EYRIE_INLINE Vec times_power(Vec a, Vec n, int more) {
  const auto half = [more](__m256 factor, __m256 v) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127 + more)), 23);
    return _mm256_mul_ps(factor, _mm256_castsi256_ps(exponent));
  };
  return {half(a.lo, n.lo), half(a.hi, n.hi)};
}
EYRIE_INLINE Vec power_of_two(Vec n) {
  const auto half = [](__m256 v) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(v), _mm256_set1_epi32(127)), 23));
  };
  return {half(n.lo), half(n.hi)};
}

}  // namespace eyrie::avx2
