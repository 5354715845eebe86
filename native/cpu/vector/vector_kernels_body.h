#pragma once
// The kernels of vector_kernels.h, written once over a vector type V and compiled once per level.

#include <cmath>

#include "cpu/simd/row_loops.h"
#include "cpu/vector/vector_kernels.h"
#include "numbers/gelu.h"

namespace eyrie {

template <class V>
void layer_norm_row(const float* x, int64_t row, int64_t hidden, float eps, const LayerNormOutput* outputs, int count, DType y_dtype) {
  const float width = static_cast<float>(hidden);
  const V mean = V::set(sum_terms<V>(hidden, [&](int64_t i, int n) { return load_lanes<V>(x + i, n); }) / width);
  const float squares = sum_terms<V>(hidden, [&](int64_t i, int n) {
    const V d = keep_lanes(load_lanes<V>(x + i, n) - mean, n);
    return d * d;
  });
  const V inverse = V::set(1.0f / std::sqrt(squares / width + eps));
  for (int o = 0; o < count; ++o) {
    const LayerNormOutput out = outputs[o];
    const auto value = [&](int64_t i, int n) {
      return fma((load_lanes<V>(x + i, n) - mean) * inverse, load_lanes<V>(out.weight + i, n), load_lanes<V>(out.bias + i, n));
    };
    if (y_dtype == DType::float32) {
      float* y = static_cast<float*>(out.y) + row * hidden;
      for_each_vector(hidden, [&](int64_t i, int n) { value(i, n).store_part(y + i, n); });
    } else {
      bf16* y = static_cast<bf16*>(out.y) + row * hidden;
      for_each_vector(hidden, [&](int64_t i, int n) { value(i, n).store_bf16_part(y + i, n); });
    }
  }
}

template <class V>
void gelu_row(const float* x, int64_t n, float* y) {
  for_each_vector(n, [&](int64_t i, int c) { gelu(load_lanes<V>(x + i, c)).store_part(y + i, c); });
}

template <class V>
void rotary_row(float* row, int64_t heads, int64_t head_dim, const float* cos, const float* sin) {
  const int64_t half = head_dim / 2;
  for (int64_t h = 0; h < heads; ++h) {
    float* a = row + h * head_dim;
    float* b = a + half;
    for_each_vector(half, [&](int64_t i, int n) {
      const V x = load_lanes<V>(a + i, n), y = load_lanes<V>(b + i, n);
      const V c = load_lanes<V>(cos + i, n), s = load_lanes<V>(sin + i, n);
      (x * c - y * s).store_part(a + i, n);
      (y * c + x * s).store_part(b + i, n);
    });
  }
}

template <class V>
RowMax max_row(const float* x, int64_t n) {
  V best = V::set(-INFINITY);
  uint32_t nan = 0;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V v = V::load(x + i);
    nan |= v.nan_mask();
    best = max(best, v);
  }
  float top = best.max();
  for (; i < n; ++i) {
    nan |= x[i] != x[i];
    top = top > x[i] ? top : x[i];
  }
  return {top, nan != 0};
}

template <class V>
int64_t find_row(const float* x, int64_t n, float value) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    if (const uint32_t mask = V::load(x + i).equal_mask(value); mask != 0) return i + __builtin_ctz(mask);
  for (; i < n; ++i)
    if (x[i] == value) return i;
  return n;
}

template <class V>
int64_t collect_row(const float* x, int64_t n, float threshold, int32_t* ids) {
  int64_t count = 0, i = 0;
  for (; i + 16 <= n; i += 16)
    for (uint32_t mask = V::load(x + i).at_least_mask(threshold); mask != 0; mask &= mask - 1)
      ids[count++] = static_cast<int32_t>(i + __builtin_ctz(mask));
  for (; i < n; ++i)
    if (x[i] >= threshold) ids[count++] = static_cast<int32_t>(i);
  return count;
}

/// e^x 2^kShift for x <= 0, where that is at least 1; elsewhere some value below 1, whose mass is 0 as well.
template <class V>
EYRIE_INLINE V scaled_weight(V x) {
  // e^-28.5 2^40 = 0.46; so there is nothing to be done for smaller x.
  V n;
  const V factor = exp_factor(max(V::set(-28.5f), x), n);
  return times_power(factor, n, V::MassSum::kShift);
}

template <class V>
uint64_t sum_masses_row(const float* x, int64_t n, float best, uint64_t* block_sums) {
  const V shift = V::set(best);
  uint64_t total = 0;
  for (int64_t start = 0; start < n; start += kMassBlock) {
    const int64_t end = n - start < kMassBlock ? n : start + kMassBlock;
    typename V::MassSum sum;
    int64_t i = start;
    for (; i + 64 <= end; i += 64) {  // four at once hide the latency of exp
      const V a = scaled_weight(V::load(x + i) - shift), b = scaled_weight(V::load(x + i + 16) - shift);
      const V c = scaled_weight(V::load(x + i + 32) - shift), d = scaled_weight(V::load(x + i + 48) - shift);
      sum.add(a);
      sum.add(b);
      sum.add(c);
      sum.add(d);
    }
    for (; i < end; i += 16) {
      const int count = end - i < 16 ? static_cast<int>(end - i) : 16;
      sum.add(keep_lanes(scaled_weight(load_lanes<V>(x + i, count) - shift), count));
    }
    const uint64_t block = sum.total();
    if (block_sums != nullptr) block_sums[start / kMassBlock] = block;
    total += block;
  }
  return total;
}

template <class V>
void exp_row(const float* x, int64_t n, float shift, float* y) {
  const V s = V::set(shift);
  for_each_vector(n, [&](int64_t i, int c) { exp(load_lanes<V>(x + i, c) - s).store_part(y + i, c); });
}

template <class V>
RowMax scale_row(float* x, int64_t n, float factor) {
  const V f = V::set(factor);
  V best = V::set(-INFINITY);
  uint32_t nan = 0;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const V v = V::load(x + i) * f;
    v.store(x + i);
    nan |= v.nan_mask();
    best = max(best, v);
  }
  float top = best.max();
  for (; i < n; ++i) {
    x[i] = x[i] * factor;
    nan |= x[i] != x[i];
    top = top > x[i] ? top : x[i];
  }
  return {top, nan != 0};
}

/// Found by the type of V: each level's file has its own.
template <class V, bool kHalvesApart>
void transpose_of(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride) {
  V::template transpose_words<kHalvesApart>(from, stride, to, to_stride, half_stride);
}

/// Sixteen weights of type `source` from index i of a row on; the lanes past `count` are zero.
template <class V>
EYRIE_INLINE V load_weights(const void* x, DType source, int64_t i, int count) {
  if (source == DType::float32) return load_lanes<V>(static_cast<const float*>(x) + i, count);
  uint16_t bits[16] = {};
  const uint16_t* from = static_cast<const uint16_t*>(x) + i;
  if (count < 16) {
    for (int j = 0; j < count; ++j) bits[j] = from[j];
    from = bits;
  }
  return source == DType::bfloat16 ? V::load_bf16(reinterpret_cast<const bf16*>(from)) : V::load_fp16(reinterpret_cast<const fp16*>(from));
}

template <class V>
void to_float32_row(const void* x, DType source, int64_t n, float* y) {
  for_each_vector(n, [&](int64_t i, int c) { load_weights<V>(x, source, i, c).store_part(y + i, c); });
}

template <class V>
RowReport to_bfloat16_row(const void* x, DType source, int64_t n, bf16* y) {
  RowReport report{};
  for_each_vector(n, [&](int64_t i, int c) {
    const V v = load_weights<V>(x, source, i, c);
    v.store_bf16_part(y + i, c);
    const uint32_t nonfinite = v.nonfinite_mask(), inexact = v.inexact_mask();
    if ((nonfinite | inexact) == 0) return;
    report.nonfinite += static_cast<uint64_t>(__builtin_popcount(nonfinite));
    report.rounded += static_cast<uint64_t>(__builtin_popcount(inexact & ~nonfinite));
  });
  return report;
}

template <class V>
void to_int8_row(const void* x, DType source, int64_t n, float scale, int8_t* y) {
  const V inverse = V::set(scale > 0 ? 1.0f / scale : 0.0f), low = V::set(-127.0f), high = V::set(127.0f), infinity = V::set(INFINITY);
  for_each_vector(n, [&](int64_t i, int c) {
    const V v = load_weights<V>(x, source, i, c);
    const V finite = where_less(abs(v), infinity, v, V::zero());
    const V q = max(min(round(finite * inverse), high), low);
    if (c == 16) return q.store_int8(y + i);
    int8_t lanes[16];
    q.store_int8(lanes);
    for (int j = 0; j < c; ++j) y[i + j] = lanes[j];
  });
}

template <class V>
float max_abs_row(const void* x, DType source, int64_t n, uint64_t* nonfinite) {
  V largest = V::zero();
  uint64_t bad = 0;
  for_each_vector(n, [&](int64_t i, int c) {
    const V v = abs(load_weights<V>(x, source, i, c));
    bad += static_cast<uint64_t>(__builtin_popcount(v.nonfinite_mask()));
    largest = max(where_less(v, V::set(INFINITY), v, V::zero()), largest);
  });
  *nonfinite = bad;
  return largest.max();
}

template <class V>
constexpr VectorKernels make_vector_kernels() {
  return {layer_norm_row<V>,     gelu_row<V>,       rotary_row<V>,      max_row<V>,     find_row<V>,
          collect_row<V>,        sum_masses_row<V>, exp_row<V>,         scale_row<V>,   transpose_of<V, false>,
          transpose_of<V, true>, to_float32_row<V>, to_bfloat16_row<V>, to_int8_row<V>, max_abs_row<V>};
}

}  // namespace eyrie
