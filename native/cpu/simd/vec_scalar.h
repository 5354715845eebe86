#pragma once
// Sixteen floats as a plain array: the meaning of the vector type that the AVX2 and AVX-512 files implement.
//
// Kernels are written once over this type and compiled per level. Every operation below is exactly rounded or a bit
// operation and reductions have a fixed tree, so a kernel gives the same bytes on every level.

#include <bit>
#include <cmath>
#include <cstdint>

#include "numbers/bfloat16.h"
#include "numbers/float16.h"

namespace eyrie::scalar {

struct Vec {
  float lane[16];

  static EYRIE_INLINE Vec set(float v) {
    Vec r;
    for (float& x : r.lane) x = v;
    return r;
  }
  static EYRIE_INLINE Vec zero() { return set(0.0f); }
  static EYRIE_INLINE Vec load(const float* p) { return load_part(p, 16); }
  /// Lanes from n on are zero and their memory is not read.
  static EYRIE_INLINE Vec load_part(const float* p, int n) {
    Vec r;
    for (int i = 0; i < 16; ++i) r.lane[i] = i < n ? p[i] : 0.0f;
    return r;
  }
  static EYRIE_INLINE Vec load_bf16(const bf16* p) {
    Vec r;
    for (int i = 0; i < 16; ++i) r.lane[i] = to_float(p[i]);
    return r;
  }
  static EYRIE_INLINE Vec load_fp16(const fp16* p) {
    Vec r;
    for (int i = 0; i < 16; ++i) r.lane[i] = to_float(p[i]);
    return r;
  }
  /// First and second members of 16 adjacent bfloat16 pairs.
  static EYRIE_INLINE Vec load_even(const bf16* p) {
    Vec r;
    for (int i = 0; i < 16; ++i) r.lane[i] = to_float(p[2 * i]);
    return r;
  }
  static EYRIE_INLINE Vec load_odd(const bf16* p) { return load_even(p + 1); }

  /// int8 weights held as sign and magnitude (panel_layout.h).
  static EYRIE_INLINE Vec load_codes(const uint8_t* p) {
    Vec r;
    for (int i = 0; i < 16; ++i) r.lane[i] = static_cast<float>((p[i] & 0x80) != 0 ? -(p[i] & 0x7f) : p[i]);
    return r;
  }

  EYRIE_INLINE void store(float* p) const { store_part(p, 16); }
  EYRIE_INLINE void store_part(float* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = lane[i];
  }
  EYRIE_INLINE void store_bf16(bf16* p) const { store_bf16_part(p, 16); }
  EYRIE_INLINE void store_bf16_part(bf16* p, int n) const {
    for (int i = 0; i < n; ++i) p[i] = to_bf16(lane[i]);
  }

  /// Lanes i and i+8, then +4, +2, +1.
  EYRIE_INLINE float sum() const {
    float t[16];
    for (int i = 0; i < 16; ++i) t[i] = lane[i];
    for (int width = 8; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) t[i] = t[i] + t[i + width];
    return t[0];
  }
  EYRIE_INLINE float max() const {
    float t[16];
    for (int i = 0; i < 16; ++i) t[i] = lane[i];
    for (int width = 8; width > 0; width /= 2)
      for (int i = 0; i < width; ++i) t[i] = t[i] > t[i + width] ? t[i] : t[i + width];
    return t[0];
  }
  /// Bit i is set where lane i is NaN.
  EYRIE_INLINE uint32_t nan_mask() const {
    uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(lane[i] != lane[i]) << i;
    return mask;
  }
  /// Bit i is set where lane i is NaN or infinite.
  EYRIE_INLINE uint32_t nonfinite_mask() const {
    uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(!(std::fabs(lane[i]) < INFINITY)) << i;
    return mask;
  }
  /// Bit i is set where lane i is not a bfloat16: its low 16 bits are not all zero.
  EYRIE_INLINE uint32_t inexact_mask() const {
    uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>((std::bit_cast<uint32_t>(lane[i]) & 0xffffu) != 0) << i;
    return mask;
  }
  /// To int8 lanes; every lane must be integral and within [-128, 127].
  EYRIE_INLINE void store_int8(int8_t* p) const {
    for (int i = 0; i < 16; ++i) p[i] = static_cast<int8_t>(lane[i]);
  }
  /// Bit i is set where lane i is at least v.
  EYRIE_INLINE uint32_t at_least_mask(float v) const {
    uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(lane[i] >= v) << i;
    return mask;
  }
  /// Bit i is set where lane i equals v.
  EYRIE_INLINE uint32_t equal_mask(float v) const {
    uint32_t mask = 0;
    for (int i = 0; i < 16; ++i) mask |= static_cast<uint32_t>(lane[i] == v) << i;
    return mask;
  }

  /// Sum of the masses (sampling/masses.h) of up to 1,024 weights, which come times 2^kShift; zeros where there are fewer.
  struct MassSum {
    static constexpr int kShift = 40;
    uint64_t sum = 0;
    EYRIE_INLINE void add(Vec scaled) {
      for (const float weight : scaled.lane) sum += static_cast<uint64_t>(static_cast<int64_t>(weight));
    }
    EYRIE_INLINE uint64_t total() const { return sum; }
  };

  /// As vector_kernels.h has it.
  template <bool kHalvesApart>
  static EYRIE_INLINE void transpose_words(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride) {
    for (int64_t w = 0; w < 16; ++w) {
      uint32_t* run = to + w % 8 * to_stride + w / 8 * half_stride;
      for (int64_t r = 0; r < 16; r += 4) {
        const uint32_t a = from[r * stride + w], b = from[(r + 1) * stride + w], c = from[(r + 2) * stride + w],
                       d = from[(r + 3) * stride + w];
        run[r] = kHalvesApart ? (a & 0xffff) | b << 16 : a;
        run[r + 1] = kHalvesApart ? (c & 0xffff) | d << 16 : b;
        run[r + 2] = kHalvesApart ? a >> 16 | (b & 0xffff0000) : c;
        run[r + 3] = kHalvesApart ? c >> 16 | (d & 0xffff0000) : d;
      }
    }
  }
};

#define EYRIE_LANES(expression)                        \
  Vec r;                                               \
  for (int i = 0; i < 16; ++i) r.lane[i] = expression; \
  return r

EYRIE_INLINE Vec operator+(Vec a, Vec b) { EYRIE_LANES(a.lane[i] + b.lane[i]); }
EYRIE_INLINE Vec operator-(Vec a, Vec b) { EYRIE_LANES(a.lane[i] - b.lane[i]); }
EYRIE_INLINE Vec operator*(Vec a, Vec b) { EYRIE_LANES(a.lane[i] * b.lane[i]); }
EYRIE_INLINE Vec operator/(Vec a, Vec b) { EYRIE_LANES(a.lane[i] / b.lane[i]); }
EYRIE_INLINE Vec fma(Vec a, Vec b, Vec c) { EYRIE_LANES(std::fma(a.lane[i], b.lane[i], c.lane[i])); }
/// b where either is NaN, as the x86 instruction does.
EYRIE_INLINE Vec max(Vec a, Vec b) { EYRIE_LANES(a.lane[i] > b.lane[i] ? a.lane[i] : b.lane[i]); }
EYRIE_INLINE Vec min(Vec a, Vec b) { EYRIE_LANES(a.lane[i] < b.lane[i] ? a.lane[i] : b.lane[i]); }
EYRIE_INLINE Vec abs(Vec a) { EYRIE_LANES(std::fabs(a.lane[i])); }
/// To the nearest integer, ties to even.
EYRIE_INLINE Vec round(Vec a) { EYRIE_LANES(std::nearbyintf(a.lane[i])); }
/// a < b ? x : y
EYRIE_INLINE Vec where_less(Vec a, Vec b, Vec x, Vec y) { EYRIE_LANES(a.lane[i] < b.lane[i] ? x.lane[i] : y.lane[i]); }
/// 2^n for integral n in [-126, 127]; anything where n is NaN.
EYRIE_INLINE Vec power_of_two(Vec n) {
  EYRIE_LANES(std::bit_cast<float>(((n.lane[i] == n.lane[i] ? static_cast<int32_t>(n.lane[i]) : 0) + 127) << 23));
}

/// a 2^(n + more), of the same bytes as a product where it is normal.
EYRIE_INLINE Vec times_power(Vec a, Vec n, int more) {
  EYRIE_LANES(a.lane[i] * std::bit_cast<float>((static_cast<int32_t>(n.lane[i]) + 127 + more) << 23));
}

#undef EYRIE_LANES

}  // namespace eyrie::scalar
