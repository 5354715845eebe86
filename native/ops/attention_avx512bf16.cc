#include "ops/attention_groups.h"

namespace eyrie {

namespace {

EYRIE_INLINE __m512bh load(const bf16* p) { return (__m512bh)_mm512_loadu_si512(p); }
EYRIE_INLINE __m512bh broadcast_pair(const bf16* p) { return (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(p)); }

struct PairProducts {
  /// 8 rows x 16 keys at a time, dims ascending.
  static EYRIE_INLINE void scores(AttentionGroup& g, const bf16* keys, int64_t stored, int64_t blocks) {
    constexpr int kRows = 8;
    for (int64_t half = 0; half < blocks * 2; half++) {
      for (int64_t row = 0; row < kGroupRows; row += kRows) {
        __m512 sum[kRows];
        for (__m512& s : sum) s = _mm512_setzero_ps();
        for (int64_t d = 0; d < stored; d += 2) {
          const __m512bh k = load(keys + half * 16 * stored + d * 16);
          for (int r = 0; r < kRows; r++) sum[r] = _mm512_dpbf16_ps(sum[r], broadcast_pair(g.q + (row + r) * stored + d), k);
        }
        for (int r = 0; r < kRows; r++) _mm512_storeu_ps(g.scores + (row + r) * kAttentionBlock + half * 16, sum[r]);
      }
    }
  }

  /// 8 rows x 16 dims at a time, keys ascending.
  static EYRIE_INLINE void add_values(AttentionGroup& g, const bf16* values, int64_t stored, int64_t blocks) {
    constexpr int kRows = 8;
    for (int64_t row = 0; row < kGroupRows; row += kRows) {
      for (int64_t d = 0; d < stored; d += 16) {
        __m512 sum[kRows];
        for (int r = 0; r < kRows; r++) sum[r] = _mm512_loadu_ps(g.acc + (row + r) * stored + d);
        for (int64_t block = 0; block < blocks; block++) {
          for (int64_t key = 0; key < kKvBlock; key += 2) {
            const __m512bh v = load(values + block * kv_block_elements(stored) + value_index_bf16(key, d));
            for (int r = 0; r < kRows; r++)
              sum[r] = _mm512_dpbf16_ps(sum[r], broadcast_pair(g.p + (row + r) * kAttentionBlock + block * kKvBlock + key), v);
          }
        }
        for (int r = 0; r < kRows; r++) _mm512_storeu_ps(g.acc + (row + r) * stored + d, sum[r]);
      }
    }
  }
};

void attend_tasks(const AttentionTask* tasks, int64_t count) {
  for (int64_t i = 0; i < count; i++) attend_in_groups<PairProducts>(tasks[i]);
}

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Avx512Bf16 = attend_tasks;

}  // namespace eyrie
