#pragma once
// Attention over a bfloat16 cache for levels with a bfloat16 dot product: sixteen (token, head) rows at a time, so that a
// block of keys is read once for all heads that share it. Products::scores and Products::add_values do the multiplying;
// a row's result does not depend on the other fifteen.

#include <cmath>
#include <cstdint>

#include "ops/alibi.h"
#include "ops/attention_kernels.h"
#include "ops/kv_layout.h"
#include "ops/simd/exp.h"
#include "ops/simd/row_loops.h"

namespace eyrie {

constexpr int64_t kGroupRows = 16;

/// Working memory of one group, dense in the stored head dimension D.
struct AttentionGroup {
  alignas(64) bf16 q[kGroupRows * kHeadDimMax];           // [16][D], missing rows zero
  alignas(64) float scores[kGroupRows * kAttentionBlock];  // [16][128]
  alignas(64) bf16 p[kGroupRows * kAttentionBlock];        // [16][128]
  alignas(64) float acc[kGroupRows * kHeadDimMax];        // [16][D]
  alignas(64) float max[kGroupRows], sum[kGroupRows], block_max[kGroupRows], block_sum[kGroupRows], shrink[kGroupRows];
};

/// One row's scores to scaled, masked scores; returns their maximum. `valid` >= 1 keys exist for the row.
template <class V>
EYRIE_INLINE float scale_scores(float* scores, int64_t valid, int64_t keys, int64_t first_key, float scale, const float* slope) {
  if (slope != nullptr)
    for (int64_t i = 0; i < valid; i++) scores[i] = scores[i] + alibi_bias(*slope, first_key + i);
  for (int64_t i = valid; i < keys; i++) scores[i] = -INFINITY;
  V largest = V::set(-INFINITY);
  for (int64_t i = 0; i < keys; i += 16) {
    const V s = V::load(scores + i) * V::set(scale);
    s.store(scores + i);
    largest = max(largest, s);
  }
  return largest.max();
}

/// Probabilities relative to `shift`, rounded to bfloat16; returns the sum of the unrounded ones.
template <class V>
EYRIE_INLINE float to_probabilities(const float* scores, bf16* p, int64_t keys, float shift) {
  V sum = V::zero();
  for (int64_t i = 0; i < keys; i += 16) {
    const V v = exp(V::load(scores + i) - V::set(shift));
    v.store_bf16(p + i);
    sum = sum + v;
  }
  return sum.sum();
}

/// Rows [first, first + rows) of the task, row i being token i / heads and head i % heads.
template <class V, class Products>
void attend_group(const AttentionTask& task, int64_t first, int64_t rows, AttentionGroup& g) {
  const int64_t stored = stored_head_dim(task.head_dim), block_elements = kv_block_elements(stored);
  const bf16* keys = static_cast<const bf16*>(task.keys);
  const bf16* values = static_cast<const bf16*>(task.values);
  const auto length_of = [&](int64_t r) { return task.first_position + (first + r) / task.heads + 1; };
  for (int64_t i = 0; i < kGroupRows * stored; i++) g.q[i] = bf16{0}, g.acc[i] = 0;
  for (int64_t r = 0; r < rows; r++) {
    const float* q = task.q + (first + r) / task.heads * task.q_stride + (first + r) % task.heads * task.head_dim;
    for_each_vector(task.head_dim, [&](int64_t d, int n) { load_lanes<V>(q + d, n).store_bf16_part(g.q + r * stored + d, n); });
  }
  V::set(-INFINITY).store(g.max);
  V::zero().store(g.sum);
  V::set(-INFINITY).store(g.block_max);
  V::zero().store(g.block_sum);

  const int64_t longest = length_of(rows - 1);
  for (int64_t first_key = 0; first_key < longest; first_key += kAttentionBlock) {
    const int64_t present = longest - first_key < kAttentionBlock ? longest - first_key : kAttentionBlock;
    const int64_t blocks = (present + kKvBlock - 1) / kKvBlock, width = blocks * kKvBlock;
    const int64_t at = first_key / kKvBlock * block_elements;
    Products::scores(g, keys + at, stored, blocks);
    for (int64_t r = 0; r < rows; r++) {
      const int64_t valid = length_of(r) - first_key;
      const float* slope = task.alibi_slopes == nullptr ? nullptr : task.alibi_slopes + (first + r) % task.heads;
      // A row that ends before this block changes nothing: its maximum stays, its factor is 1, its probabilities are 0.
      g.block_max[r] = valid <= 0 ? -INFINITY
                                  : scale_scores<V>(g.scores + r * kAttentionBlock, valid < width ? valid : width, width, first_key, task.scale, slope);
    }
    const V old_max = V::load(g.max), new_max = max(old_max, V::load(g.block_max));
    const V shrink = exp(old_max - new_max);
    new_max.store(g.max);
    shrink.store(g.shrink);
    for (int64_t r = 0; r < rows; r++) {
      bf16* p = g.p + r * kAttentionBlock;
      if (length_of(r) > first_key) {
        g.block_sum[r] = to_probabilities<V>(g.scores + r * kAttentionBlock, p, width, g.max[r]);
      } else {
        for (int64_t i = 0; i < width; i++) p[i] = bf16{0};
        g.block_sum[r] = 0;
      }
      if (first_key > 0)
        for (int64_t d = 0; d < stored; d += 16) (V::load(g.acc + r * stored + d) * V::set(g.shrink[r])).store(g.acc + r * stored + d);
    }
    (V::load(g.sum) * shrink + V::load(g.block_sum)).store(g.sum);
    Products::add_values(g, values + at, stored, blocks);
  }

  for (int64_t r = 0; r < rows; r++) {
    const int64_t to = (first + r) / task.heads * task.out_stride + (first + r) % task.heads * task.head_dim;
    const V sum = V::set(g.sum[r]);
    for_each_vector(task.head_dim, [&](int64_t d, int n) {
      const V v = load_lanes<V>(g.acc + r * stored + d, n) / sum;
      if (task.out_dtype == DType::float32) v.store_part(static_cast<float*>(task.out) + to + d, n);
      else v.store_bf16_part(static_cast<bf16*>(task.out) + to + d, n);
    });
  }
}

template <class V, class Products>
void attend_in_groups(const AttentionTask& task) {
  AttentionGroup group;
  // Probabilities of missing rows meet the values too: keep them zero, not whatever the stack held.
  for (bf16& p : group.p) p = bf16{0};
  const int64_t rows = task.tokens * task.heads;
  for (int64_t first = 0; first < rows; first += kGroupRows)
    attend_group<V, Products>(task, first, rows - first < kGroupRows ? rows - first : kGroupRows, group);
}

}  // namespace eyrie
