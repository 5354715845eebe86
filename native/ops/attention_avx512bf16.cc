#include "ops/attention_groups.h"

namespace eyrie {

namespace {

EYRIE_INLINE __m512bh load(const bf16* p) { return (__m512bh)_mm512_loadu_si512(p); }
EYRIE_INLINE __m512bh broadcast_pair(const bf16* p) { return (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(p)); }

/// 8 rows x 32 columns at a time, in 16 registers: 10 loads feed 16 multiply instructions. Rows that are all missing are
/// left out, which halves the work where few heads share a KV head.
struct PairProducts {
  static constexpr int kRows = 8;

  /// Dims ascending.
  static EYRIE_INLINE void scores(AttentionGroup& g, const bf16* keys, int64_t stored, int64_t blocks) {
    for (int64_t block = 0; block < blocks; block++) {
      const bf16* left = keys + block * kv_block_elements(stored);
      const bf16* right = left + 16 * stored;
      for (int64_t row = 0; row < g.rows; row += kRows) {
        __m512 sum[kRows][2];
        for (auto& s : sum) s[0] = s[1] = _mm512_setzero_ps();
        for (int64_t d = 0; d < stored; d += 2) add_products(sum, g.q + row * stored + d, stored, left + d * 16, right + d * 16, kv_block_elements(stored));
        float* to = g.scores + row * kAttentionBlock + block * kKvBlock;
        for (int r = 0; r < kRows; r++)
          for (int half = 0; half < 2; half++) _mm512_storeu_ps(to + r * kAttentionBlock + half * 16, sum[r][half]);
      }
    }
  }

  /// Keys ascending.
  static EYRIE_INLINE void add_values(AttentionGroup& g, const bf16* values, int64_t stored, int64_t blocks) {
    for (int64_t row = 0; row < g.rows; row += kRows) {
      for (int64_t d = 0; d < stored; d += 32) {
        float* acc = g.acc + row * stored + d;
        __m512 sum[kRows][2];
        for (int r = 0; r < kRows; r++)
          for (int half = 0; half < 2; half++) sum[r][half] = _mm512_loadu_ps(acc + r * stored + half * 16);
        for (int64_t block = 0; block < blocks; block++) {
          const bf16* block_values = values + block * kv_block_elements(stored);
          const bf16* p = g.p + row * kAttentionBlock + block * kKvBlock;
          for (int64_t key = 0; key < kKvBlock; key += 2)
            add_products(sum, p + key, kAttentionBlock, block_values + value_index_bf16(key, d), block_values + value_index_bf16(key, d + 16), kv_block_elements(stored));
        }
        for (int r = 0; r < kRows; r++)
          for (int half = 0; half < 2; half++) _mm512_storeu_ps(acc + r * stored + half * 16, sum[r][half]);
      }
    }
  }

 private:
  /// One pair of each row times one pair of 32 columns.
  static EYRIE_INLINE void add_products(__m512 (&sum)[kRows][2], const bf16* pairs, int64_t stride, const bf16* left, const bf16* right, int64_t ahead) {
    const __m512bh l = load(left), h = load(right);
    _mm_prefetch(reinterpret_cast<const char*>(left + ahead), _MM_HINT_T0);
    _mm_prefetch(reinterpret_cast<const char*>(right + ahead), _MM_HINT_T0);
    for (int r = 0; r < kRows; r++) {
      const __m512bh pair = broadcast_pair(pairs + r * stride);
      sum[r][0] = _mm512_dpbf16_ps(sum[r][0], pair, l);
      sum[r][1] = _mm512_dpbf16_ps(sum[r][1], pair, h);
    }
  }
};

void attend_tasks(const AttentionTask* tasks, int64_t count) {
  for (int64_t i = 0; i < count; i++) attend_in_groups<PairProducts>(tasks[i]);
}

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Avx512Bf16 = attend_tasks;

}  // namespace eyrie
