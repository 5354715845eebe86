#pragma once
// Attention over a bfloat16 cache, sixteen (token, head) rows at a time, so that a block of keys is read once for all heads
// that share it. Products::scores and Products::add_values do the multiplying, of q and of probabilities as
// Products::Operand, float or rounded to bfloat16; a row's result does not depend on the other fifteen.

#include <immintrin.h>

#include <cmath>
#include <cstdint>

#include "cpu/attention/attention_kernels.h"
#include "cpu/kv/kv_layout.h"
#include "cpu/simd/row_loops.h"
#include "cpu/simd/vec_avx512.h"
#include "cpu/vector/alibi.h"

namespace eyrie {

using avx512::Vec;

constexpr int64_t kGroupRows = 16;

/// Working memory of one group, dense in the stored head dimension D.
template <class Operand>
struct AttentionGroup {
  int64_t rows;                                            // that are there
  alignas(64) Operand q[kGroupRows * kHeadDimMax];         // [16][D], missing rows zero
  alignas(64) float scores[kGroupRows * kAttentionBlock];  // [16][128]
  alignas(64) Operand p[kGroupRows * kAttentionBlock];     // [16][128]
  alignas(64) float acc[kGroupRows * kHeadDimMax];         // [16][D]
  alignas(64) float max[kGroupRows], sum[kGroupRows], block_max[kGroupRows], block_sum[kGroupRows], shrink[kGroupRows];
};

/// e^x for x <= 0, exactly 1 at 0 and exactly 0 below -87.3, relative error below 3e-7 between; NaN for NaN. The scaling
/// instruction makes it a third shorter than the exp that all levels share; it must not underflow, which is slow.
EYRIE_INLINE Vec exp_down(Vec x) {
  const Vec low = Vec::set(-87.3f), y = max(low, x);
  const Vec n = round(y * Vec::set(1.44269504f));
  Vec r = fma(n, Vec::set(-0.693359375f), y);
  r = fma(n, Vec::set(2.12194440e-4f), r);
  Vec p = Vec::set(0.001381459878f);
  p = fma(p, r, Vec::set(0.008368716575f));
  p = fma(p, r, Vec::set(0.041668388992f));
  p = fma(p, r, Vec::set(0.166665211319f));
  p = fma(p, r, Vec::set(0.499999940395f));
  p = fma(p * r, r, r) + Vec::set(1.0f);
  return {_mm512_maskz_scalef_ps(_mm512_cmp_ps_mask(x.v, low.v, _CMP_NLT_UQ), p.v, n.v)};
}

/// The largest of one row's `valid` scores, of which `width` (a multiple of 32) are there: the surplus becomes -infinity.
EYRIE_INLINE float mask_scores(float* scores, int64_t valid, int64_t width, int64_t first_key, const float* slope) {
  if (slope != nullptr)
    for (int64_t i = 0; i < valid; ++i) scores[i] = scores[i] + alibi_bias(*slope, first_key + i);
  for (int64_t i = valid; i < width; ++i) scores[i] = -INFINITY;
  Vec a = Vec::load(scores), b = Vec::load(scores + 16);
  for (int64_t i = 32; i < width; i += 32) {
    a = max(a, Vec::load(scores + i));
    b = max(b, Vec::load(scores + i + 16));
  }
  return max(a, b).max();
}

EYRIE_INLINE void store_q(Vec v, bf16* to, int n) { v.store_bf16_part(to, n); }
EYRIE_INLINE void store_q(Vec v, float* to, int n) { v.store_part(to, n); }

/// e^(scale * score - shift), stored by Products; returns the sum of the unrounded values.
template <class Products>
EYRIE_INLINE float to_probabilities(const float* scores, typename Products::Operand* p, int64_t width, float scale, float shift) {
  Vec sum = Vec::zero();
  for (int64_t i = 0; i < width; i += 16) {
    const Vec v = exp_down(fma(Vec::load(scores + i), Vec::set(scale), Vec::set(-shift)));
    Products::store_probabilities(v, p + i);
    sum = sum + v;
  }
  return sum.sum();
}

/// Rows [first, first + rows) of the task, row i being token i / heads and head i % heads.
template <class Products>
void attend_group(const AttentionTask& task, int64_t first, int64_t rows, AttentionGroup<typename Products::Operand>& g) {
  using Operand = typename Products::Operand;
  const int64_t stored = stored_head_dim(task.head_dim), block_elements = kv_block_elements(stored);
  const bf16* keys = static_cast<const bf16*>(task.keys);
  const bf16* values = static_cast<const bf16*>(task.values);
  int64_t length[kGroupRows], q_at[kGroupRows], out_at[kGroupRows];
  const float* slope[kGroupRows];
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t token = (first + r) / task.heads, head = (first + r) % task.heads;
    length[r] = task.first_position + token + 1;
    q_at[r] = token * task.q_stride + head * task.head_dim;
    out_at[r] = token * task.out_stride + head * task.head_dim;
    slope[r] = task.alibi_slopes == nullptr ? nullptr : task.alibi_slopes + head;
  }
  g.rows = rows;
  for (int64_t i = 0; i < kGroupRows * stored; ++i) g.q[i] = Operand{}, g.acc[i] = 0;
  for (int64_t r = 0; r < rows; ++r) {
    const float* q = task.q + q_at[r];
    for_each_vector(task.head_dim, [&](int64_t d, int n) { store_q(load_lanes<Vec>(q + d, n), g.q + r * stored + d, n); });
  }
  // Rows of q lie far apart: bring those of the next group while this one is worked on.
  for (int64_t i = first + kGroupRows; i < first + 2 * kGroupRows && i < task.tokens * task.heads; ++i) {
    const float* next = task.q + i / task.heads * task.q_stride + i % task.heads * task.head_dim;
    for (int64_t d = 0; d < task.head_dim; d += 16) _mm_prefetch(reinterpret_cast<const char*>(next + d), _MM_HINT_T1);
  }
  Vec::set(-INFINITY).store(g.max);
  Vec::zero().store(g.sum);
  Vec::set(-INFINITY).store(g.block_max);
  Vec::zero().store(g.block_sum);

  const int64_t longest = length[rows - 1];
  for (int64_t first_key = 0; first_key < longest; first_key += kAttentionBlock) {
    const int64_t present = longest - first_key < kAttentionBlock ? longest - first_key : kAttentionBlock;
    const int64_t blocks = (present + kKvBlock - 1) / kKvBlock, width = blocks * kKvBlock;
    const int64_t at = first_key / kKvBlock * block_elements;
    Products::scores(g, keys + at, stored, blocks);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t valid = length[r] - first_key;
      // A row that ends before this block changes nothing: its maximum stays, its factor is 1, its probabilities are 0.
      g.block_max[r] =
          valid <= 0 ? -INFINITY
                     : task.scale * mask_scores(g.scores + r * kAttentionBlock, valid < width ? valid : width, width, first_key, slope[r]);
    }
    const Vec old_max = Vec::load(g.max), new_max = max(old_max, Vec::load(g.block_max));
    const Vec shrink = exp_down(old_max - new_max);
    new_max.store(g.max);
    shrink.store(g.shrink);
    for (int64_t r = 0; r < rows; ++r) {
      Operand* p = g.p + r * kAttentionBlock;
      if (length[r] > first_key) {
        g.block_sum[r] = to_probabilities<Products>(g.scores + r * kAttentionBlock, p, width, task.scale, g.max[r]);
      } else {
        for (int64_t i = 0; i < width; ++i) p[i] = Operand{};
        g.block_sum[r] = 0;
      }
      if (g.shrink[r] != 1.0f)  // NaN included; in the first block there is nothing yet, and zero stays zero
        for (int64_t d = 0; d < stored; d += 16) (Vec::load(g.acc + r * stored + d) * Vec::set(g.shrink[r])).store(g.acc + r * stored + d);
    }
    (Vec::load(g.sum) * shrink + Vec::load(g.block_sum)).store(g.sum);
    Products::add_values(g, values + at, stored, blocks);
  }

  for (int64_t r = 0; r < rows; ++r) {
    const Vec sum = Vec::set(g.sum[r]);
    for_each_vector(task.head_dim, [&](int64_t d, int n) {
      const Vec v = load_lanes<Vec>(g.acc + r * stored + d, n) / sum;
      if (task.out_dtype == DType::float32)
        v.store_part(static_cast<float*>(task.out) + out_at[r] + d, n);
      else
        v.store_bf16_part(static_cast<bf16*>(task.out) + out_at[r] + d, n);
    });
  }
}

template <class Products>
void attend_in_groups(const AttentionTask& task) {
  AttentionGroup<typename Products::Operand> group;
  // Probabilities of missing rows meet the values too: keep them zero, not whatever the stack held.
  for (auto& p : group.p) p = {};
  const int64_t rows = task.tokens * task.heads;
  for (int64_t first = 0; first < rows; first += kGroupRows)
    attend_group<Products>(task, first, rows - first < kGroupRows ? rows - first : kGroupRows, group);
}

}  // namespace eyrie
