#include "ops/attention_groups.h"
#include "ops/simd/vec_avx512.h"
#include "ops/tile_config.h"

namespace eyrie {

namespace {

struct TileProducts {
  /// 16 rows x 32 keys at a time: tiles 0 and 1 scores, 4 q, 5 and 6 keys.
  static EYRIE_INLINE void scores(AttentionGroup& g, const bf16* keys, int64_t stored, int64_t blocks) {
    constexpr int kStride = kAttentionBlock * 4;
    for (int64_t block = 0; block < blocks; block++) {
      const bf16* left = keys + block * kv_block_elements(stored);
      const bf16* right = left + 16 * stored;
      float* to = g.scores + block * kKvBlock;
      _tile_zero(0);
      _tile_zero(1);
      for (int64_t d = 0; d < stored; d += 32) {
        _tile_loadd(4, g.q + d, static_cast<int>(stored * 2));
        _tile_loadd(5, left + d * 16, 64);
        _tile_dpbf16ps(0, 4, 5);
        _tile_loadd(6, right + d * 16, 64);
        _tile_dpbf16ps(1, 4, 6);
      }
      _tile_stored(0, to, kStride);
      _tile_stored(1, to + 16, kStride);
    }
  }

  /// 16 rows x 32 dims at a time: tiles 0 and 1 sums, 4 probabilities, 5 and 6 values.
  static EYRIE_INLINE void add_values(AttentionGroup& g, const bf16* values, int64_t stored, int64_t blocks) {
    const int stride = static_cast<int>(stored * 4);
    for (int64_t d = 0; d < stored; d += 32) {
      _tile_loadd(0, g.acc + d, stride);
      _tile_loadd(1, g.acc + d + 16, stride);
      for (int64_t block = 0; block < blocks; block++) {
        const bf16* v = values + block * kv_block_elements(stored) + value_index_bf16(0, d);
        _tile_loadd(4, g.p + block * kKvBlock, kAttentionBlock * 2);
        _tile_loadd(5, v, 64);
        _tile_dpbf16ps(0, 4, 5);
        _tile_loadd(6, v + 512, 64);
        _tile_dpbf16ps(1, 4, 6);
      }
      _tile_stored(0, g.acc + d, stride);
      _tile_stored(1, g.acc + d + 16, stride);
    }
  }
};

void attend_tasks(const AttentionTask* tasks, int64_t count) {
  const amx::TileScope tiles;
  for (int64_t i = 0; i < count; i++) attend_in_groups<avx512::Vec, TileProducts>(tasks[i]);
}

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Amx = attend_tasks;

}  // namespace eyrie
