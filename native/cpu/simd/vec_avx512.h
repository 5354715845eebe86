#pragma once
// Sixteen floats in one AVX-512 register. Each operation gives the bytes of its scalar twin (vec_scalar.h).

#include <immintrin.h>

#include "numbers/bfloat16.h"
#include "numbers/float16.h"

namespace eyrie::avx512 {

struct Vec {
  __m512 v;

  static EYRIE_INLINE __mmask16 lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

  static EYRIE_INLINE Vec set(float x) { return {_mm512_set1_ps(x)}; }
  static EYRIE_INLINE Vec zero() { return {_mm512_setzero_ps()}; }
  static EYRIE_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
  static EYRIE_INLINE Vec load_part(const float* p, int n) { return {_mm512_maskz_loadu_ps(lanes(n), p)}; }
  static EYRIE_INLINE Vec load_bf16(const bf16* p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
    return {_mm512_castsi512_ps(_mm512_slli_epi32(wide, 16))};
  }
  static EYRIE_INLINE Vec load_fp16(const fp16* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))}; }
  static EYRIE_INLINE Vec load_even(const bf16* p) { return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_loadu_si512(p), 16))}; }
  static EYRIE_INLINE Vec load_odd(const bf16* p) {
    return {_mm512_castsi512_ps(_mm512_and_si512(_mm512_loadu_si512(p), _mm512_set1_epi32(static_cast<int>(0xffff0000u))))};
  }
  static EYRIE_INLINE Vec load_codes(const uint8_t* p) {
    const __m512i code = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    const __m512i magnitude = _mm512_castps_si512(_mm512_cvtepi32_ps(_mm512_and_si512(code, _mm512_set1_epi32(0x7f))));
    const __m512i sign = _mm512_slli_epi32(_mm512_srli_epi32(code, 7), 31);
    return {_mm512_castsi512_ps(_mm512_or_si512(magnitude, sign))};
  }

  EYRIE_INLINE void store(float* p) const { _mm512_storeu_ps(p, v); }
  EYRIE_INLINE void store_part(float* p, int n) const { _mm512_mask_storeu_ps(p, lanes(n), v); }
  EYRIE_INLINE __m256i to_bf16_lanes() const {
    const __m512i u = _mm512_castps_si512(v), upper = _mm512_srli_epi32(u, 16);
    const __m512i odd = _mm512_and_si512(upper, _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16);
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_cvtepi32_epi16(_mm512_mask_or_epi32(rounded, nan, upper, _mm512_set1_epi32(0x40)));
  }
  EYRIE_INLINE void store_bf16(bf16* p) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), to_bf16_lanes()); }
  EYRIE_INLINE void store_bf16_part(bf16* p, int n) const { _mm256_mask_storeu_epi16(p, lanes(n), to_bf16_lanes()); }

  EYRIE_INLINE float sum() const {
    const __m256 a = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_add_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_add_ss(c, _mm_movehdup_ps(c)));
  }
  EYRIE_INLINE float max() const {
    const __m256 a = _mm256_max_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 b = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    const __m128 c = _mm_max_ps(b, _mm_movehl_ps(b, b));
    return _mm_cvtss_f32(_mm_max_ss(c, _mm_movehdup_ps(c)));
  }
  EYRIE_INLINE uint32_t nan_mask() const { return _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q); }
  EYRIE_INLINE uint32_t nonfinite_mask() const {
    return static_cast<uint32_t>(~_mm512_cmp_ps_mask(_mm512_abs_ps(v), _mm512_set1_ps(__builtin_inff()), _CMP_LT_OQ)) & 0xffffu;
  }
  EYRIE_INLINE uint32_t inexact_mask() const { return _mm512_test_epi32_mask(_mm512_castps_si512(v), _mm512_set1_epi32(0xffff)); }
  EYRIE_INLINE void store_int8(int8_t* p) const {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
  EYRIE_INLINE uint32_t at_least_mask(float x) const { return _mm512_cmp_ps_mask(v, _mm512_set1_ps(x), _CMP_GE_OQ); }
  EYRIE_INLINE uint32_t equal_mask(float x) const { return _mm512_cmp_ps_mask(v, _mm512_set1_ps(x), _CMP_EQ_OQ); }

  struct MassSum {
    static constexpr int kShift = 40;
    __m512i first = _mm512_setzero_si512(), second = _mm512_setzero_si512();
    EYRIE_INLINE void add(Vec scaled) {
      first = _mm512_add_epi64(first, _mm512_cvttps_epi64(_mm512_castps512_ps256(scaled.v)));
      second = _mm512_add_epi64(second, _mm512_cvttps_epi64(_mm512_extractf32x8_ps(scaled.v, 1)));
    }
    EYRIE_INLINE uint64_t total() const { return static_cast<uint64_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(first, second))); }
  };

  /// Stores past the caches: packed weights are not read again soon, and reading a line only to overwrite it would halve
  /// the speed. The locked instruction with which a thread leaves a job of the pool makes the stores visible to all.
  template <bool kHalvesApart>
  static EYRIE_INLINE void transpose_words(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride) {
    __m512i a[16], b[16];
    for (int i = 0; i < 16; ++i) a[i] = _mm512_loadu_si512(from + i * stride);
    // 32-bit, then 64-bit pairs within 128-bit lanes, then the lanes themselves, by fours of rows.
    for (int i = 0; i < 16; i += 2) {
      b[i] = _mm512_unpacklo_epi32(a[i], a[i + 1]);
      b[i + 1] = _mm512_unpackhi_epi32(a[i], a[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      a[i] = _mm512_unpacklo_epi64(b[i], b[i + 2]);
      a[i + 1] = _mm512_unpackhi_epi64(b[i], b[i + 2]);
      a[i + 2] = _mm512_unpacklo_epi64(b[i + 1], b[i + 3]);
      a[i + 3] = _mm512_unpackhi_epi64(b[i + 1], b[i + 3]);
    }
    if constexpr (kHalvesApart) {  // a lane holds the words of four neighbours
      const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15));
      for (int i = 0; i < 16; ++i) a[i] = _mm512_shuffle_epi8(a[i], order);
    }
    for (int i = 0; i < 4; ++i) {
      const __m512i low01 = _mm512_shuffle_i32x4(a[i], a[i + 4], 0x88), high01 = _mm512_shuffle_i32x4(a[i], a[i + 4], 0xdd);
      const __m512i low23 = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0x88), high23 = _mm512_shuffle_i32x4(a[i + 8], a[i + 12], 0xdd);
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i * to_stride), _mm512_shuffle_i32x4(low01, low23, 0x88));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + (i + 4) * to_stride), _mm512_shuffle_i32x4(high01, high23, 0x88));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + half_stride + i * to_stride), _mm512_shuffle_i32x4(low01, low23, 0xdd));
      _mm512_stream_si512(reinterpret_cast<__m512i*>(to + half_stride + (i + 4) * to_stride), _mm512_shuffle_i32x4(high01, high23, 0xdd));
    }
  }
};

EYRIE_INLINE Vec operator+(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
EYRIE_INLINE Vec operator-(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
EYRIE_INLINE Vec operator*(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
EYRIE_INLINE Vec operator/(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
EYRIE_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
EYRIE_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
EYRIE_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
EYRIE_INLINE Vec abs(Vec a) { return {_mm512_abs_ps(a.v)}; }
EYRIE_INLINE Vec round(Vec a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
EYRIE_INLINE Vec where_less(Vec a, Vec b, Vec x, Vec y) {
  return {_mm512_mask_blend_ps(_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ), y.v, x.v)};
}
EYRIE_INLINE Vec times_power(Vec a, Vec n, int more) {
  return {_mm512_scalef_ps(a.v, _mm512_add_ps(n.v, _mm512_set1_ps(static_cast<float>(more))))};
}
EYRIE_INLINE Vec power_of_two(Vec n) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}

}  // namespace eyrie::avx512
