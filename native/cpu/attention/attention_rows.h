#pragma once
// The products of grouped attention, 8 rows x 32 columns at a time, in 16 registers: 10 loads feed 16 multiply
// instructions. Rows that are all missing are left out, which halves the work where few heads share a KV head.

#include "cpu/attention/attention_groups.h"

namespace eyrie {

/// Multiply says how one pair of each row meets one pair of 32 columns.
template <class Multiply>
struct RowProducts : Multiply {
  using Operand = typename Multiply::Operand;
  using Group = AttentionGroup<Operand>;
  static constexpr int kRows = 8;

  /// Dims ascending.
  static EYRIE_INLINE void scores(Group& g, const bf16* keys, int64_t stored, int64_t blocks) {
    for (int64_t block = 0; block < blocks; ++block) {
      const bf16* left = keys + block * kv_block_elements(stored);
      const bf16* right = left + 16 * stored;
      for (int64_t row = 0; row < g.rows; row += kRows) {
        __m512 sum[kRows][2];
        for (auto& s : sum) s[0] = s[1] = _mm512_setzero_ps();
        for (int64_t d = 0; d < stored; d += 2)
          multiply(sum, g.q + row * stored + d, stored, left + d * 16, right + d * 16, kv_block_elements(stored));
        float* to = g.scores + row * kAttentionBlock + block * kKvBlock;
        for (int r = 0; r < kRows; ++r)
          for (int half = 0; half < 2; ++half) _mm512_storeu_ps(to + r * kAttentionBlock + half * 16, sum[r][half]);
      }
    }
  }

  /// Keys ascending.
  static EYRIE_INLINE void add_values(Group& g, const bf16* values, int64_t stored, int64_t blocks) {
    for (int64_t row = 0; row < g.rows; row += kRows) {
      for (int64_t d = 0; d < stored; d += 32) {
        float* acc = g.acc + row * stored + d;
        __m512 sum[kRows][2];
        for (int r = 0; r < kRows; ++r)
          for (int half = 0; half < 2; ++half) sum[r][half] = _mm512_loadu_ps(acc + r * stored + half * 16);
        for (int64_t block = 0; block < blocks; ++block) {
          const bf16* block_values = values + block * kv_block_elements(stored);
          const Operand* p = g.p + row * kAttentionBlock + block * kKvBlock;
          for (int64_t key = 0; key < kKvBlock; key += 2)
            multiply(sum, p + key, kAttentionBlock, block_values + value_index_bf16(key, d), block_values + value_index_bf16(key, d + 16),
                     kv_block_elements(stored));
        }
        for (int r = 0; r < kRows; ++r)
          for (int half = 0; half < 2; ++half) _mm512_storeu_ps(acc + r * stored + half * 16, sum[r][half]);
      }
    }
  }

 private:
  static EYRIE_INLINE void multiply(__m512 (&sum)[kRows][2], const Operand* pairs, int64_t stride, const bf16* left, const bf16* right,
                                    int64_t ahead) {
    _mm_prefetch(reinterpret_cast<const char*>(left + ahead), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(right + ahead), _MM_HINT_T0);
    Multiply::add_products(sum, pairs, stride, left, right);
  }
};

template <class Multiply>
void attend_by_rows(const AttentionTask* tasks, int64_t count) {
  for (int64_t i = 0; i < count; ++i) attend_in_groups<RowProducts<Multiply>>(tasks[i]);
}

}  // namespace eyrie
