#pragma once
// Attention over a vector type V, for levels without dpbf16 and for the float32 cache; the same bytes on every level.

#include <cmath>
#include <cstdint>

#include "cpu/attention/attention_kernels.h"
#include "cpu/kv/kv_layout.h"
#include "cpu/vector/alibi.h"
#include "numbers/exp.h"

namespace eyrie {

/// What one row carries from block to block.
struct OnlineSoftmax {
  float max = -INFINITY;
  float sum = 0;
};

/// scores of the keys at first_key on, of which `valid` >= 1 exist for this row, become probabilities relative to the
/// running maximum, zero from `valid` to `width` (a multiple of 16). Returns the factor by which what was summed before
/// must shrink.
template <class V>
EYRIE_INLINE float softmax_block(OnlineSoftmax& state, float* scores, int64_t valid, int64_t width, int64_t first_key, float scale,
                                 const float* slope) {
  for (int64_t i = valid; i < width; ++i) scores[i] = -INFINITY;
  if (slope != nullptr)
    for (int64_t i = 0; i < valid; ++i) scores[i] = scores[i] + alibi_bias(*slope, first_key + i);
  const V factor = V::set(scale);
  V largest = V::set(-INFINITY);
  for (int64_t i = 0; i < width; i += 16) {
    const V s = V::load(scores + i) * factor;
    s.store(scores + i);
    largest = max(largest, s);
  }
  const float block_max = largest.max(), new_max = state.max > block_max ? state.max : block_max;
  const V shift = V::set(new_max);
  V sum = V::zero();
  for (int64_t i = 0; i < width; i += 16) {
    const V p = exp(V::load(scores + i) - shift);
    p.store(scores + i);
    sum = sum + p;
  }
  float old[16];
  exp(V::set(state.max) - shift).store(old);
  state.sum = state.sum * old[0] + sum.sum();
  state.max = new_max;
  return old[0];
}

template <class V, class Element>
struct AttentionRow {
  static constexpr bool kPairs = sizeof(Element) == 2;

  /// 16 scores: q . key over all dims, dims ascending.
  static EYRIE_INLINE V dot(const float* q, const Element* keys, int64_t stored_dim) {
    V s = V::zero();
    if constexpr (kPairs) {
      for (int64_t d = 0; d < stored_dim; d += 2) {
        s = fma(V::set(q[d]), V::load_even(keys + d * 16), s);
        s = fma(V::set(q[d + 1]), V::load_odd(keys + d * 16), s);
      }
    } else {
      for (int64_t d = 0; d < stored_dim; ++d) s = fma(V::set(q[d]), V::load(keys + d * 16), s);
    }
    return s;
  }

  /// acc[stored_dim] += p[32 keys] * values of one block, keys ascending.
  static EYRIE_INLINE void add_values(float* acc, const float* p, const Element* values, int64_t stored_dim) {
    for (int64_t d = 0; d < stored_dim; d += 16) {
      V a = V::load(acc + d);
      for (int64_t key = 0; key < kKvBlock; key += 2) {
        if constexpr (kPairs) {
          const Element* pair = values + value_index_bf16(key, d);
          a = fma(V::set(p[key]), V::load_even(pair), a);
          a = fma(V::set(p[key + 1]), V::load_odd(pair), a);
        } else {
          a = fma(V::set(p[key]), V::load(values + value_index_float(stored_dim, key, d)), a);
          a = fma(V::set(p[key + 1]), V::load(values + value_index_float(stored_dim, key + 1, d)), a);
        }
      }
      a.store(acc + d);
    }
  }

  static EYRIE_INLINE float rounded(float v) {
    if constexpr (kPairs)
      return to_float(to_bf16(v));
    else
      return v;
  }

  static EYRIE_INLINE void run(const AttentionTask& task, int64_t token, int64_t head) {
    alignas(64) float q[kHeadDimMax] = {}, acc[kHeadDimMax] = {}, scores[kAttentionBlock];
    const int64_t stored = stored_head_dim(task.head_dim), block_elements = kv_block_elements(stored);
    for (int64_t d = 0; d < task.head_dim; ++d) q[d] = rounded(task.q[token * task.q_stride + head * task.head_dim + d]);
    const Element* keys = static_cast<const Element*>(task.keys);
    const Element* values = static_cast<const Element*>(task.values);
    const int64_t length = task.first_position + token + 1;
    OnlineSoftmax state;
    for (int64_t first = 0; first < length; first += kAttentionBlock) {
      const int64_t valid = length - first < kAttentionBlock ? length - first : kAttentionBlock;
      const Element* block_keys = keys + first / kKvBlock * block_elements;
      for (int64_t i = 0; i < valid; i += 16) dot(q, block_keys + i * stored, stored).store(scores + i);
      const int64_t width = (valid + kKvBlock - 1) / kKvBlock * kKvBlock;
      const float shrink = softmax_block<V>(state, scores, valid, width, first, task.scale,
                                            task.alibi_slopes == nullptr ? nullptr : task.alibi_slopes + head);
      for (int64_t d = 0; d < stored; d += 16) (V::load(acc + d) * V::set(shrink)).store(acc + d);
      for (int64_t i = 0; i < width; ++i) scores[i] = rounded(scores[i]);
      for (int64_t i = 0; i < valid; i += kKvBlock) add_values(acc, scores + i, values + (first + i) / kKvBlock * block_elements, stored);
    }
    const int64_t at = token * task.out_stride + head * task.head_dim;
    for (int64_t d = 0; d < task.head_dim; ++d) {
      const float v = acc[d] / state.sum;
      if (task.out_dtype == DType::float32)
        static_cast<float*>(task.out)[at + d] = v;
      else
        static_cast<bf16*>(task.out)[at + d] = to_bf16(v);
    }
  }
};

template <class V, class Element>
void attend(const AttentionTask* tasks, int64_t count) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t token = 0; token < tasks[i].tokens; ++token)
      for (int64_t head = 0; head < tasks[i].heads; ++head) AttentionRow<V, Element>::run(tasks[i], token, head);
}

}  // namespace eyrie
