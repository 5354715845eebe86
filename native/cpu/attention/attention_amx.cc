#include "cpu/attention/rounded_operands.h"
#include "cpu/simd/tile_config.h"

namespace eyrie {

namespace {

// Up to four tiles of sums at a time (tiles 0-3; 4 is the left operand, 5 and 6 the right ones): a tile product takes
// three times as long to finish as to start, so several have to be under way.
struct TileProducts : RoundedOperands {
  /// 16 rows x 32 keys per block.
  static EYRIE_INLINE void scores(Group& g, const bf16* keys, int64_t stored, int64_t blocks) {
    int64_t block = 0;
    for (; block + 2 <= blocks; block += 2) scores_of<2>(g, keys, stored, block);
    if (block < blocks) scores_of<1>(g, keys, stored, block);
  }

  /// 16 rows x 64 or 32 dims, over all blocks.
  static EYRIE_INLINE void add_values(Group& g, const bf16* values, int64_t stored, int64_t blocks) {
    int64_t d = 0;
    for (; d + 64 <= stored; d += 64) add_values_of<2>(g, values, stored, blocks, d);
    if (d < stored) add_values_of<1>(g, values, stored, blocks, d);
  }

 private:
  template <int kBlocks>
  static EYRIE_INLINE void scores_of(Group& g, const bf16* keys, int64_t stored, int64_t block) {
    constexpr int kStride = kAttentionBlock * 4;
    const bf16* left = keys + block * kv_block_elements(stored);
    const bf16* right = left + 16 * stored;
    const int64_t next = kv_block_elements(stored);
    float* to = g.scores + block * kKvBlock;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t d = 0; d < stored; d += 32) {
      _tile_loadd(4, g.q + d, static_cast<int>(stored * 2));
      _tile_loadd(5, left + d * 16, 64);
      _tile_dpbf16ps(0, 4, 5);
      _tile_loadd(6, right + d * 16, 64);
      _tile_dpbf16ps(1, 4, 6);
      if constexpr (kBlocks == 2) {
        _tile_loadd(5, left + next + d * 16, 64);
        _tile_dpbf16ps(2, 4, 5);
        _tile_loadd(6, right + next + d * 16, 64);
        _tile_dpbf16ps(3, 4, 6);
      }
    }
    _tile_stored(0, to, kStride);
    _tile_stored(1, to + 16, kStride);
    if constexpr (kBlocks == 2) {
      _tile_stored(2, to + 32, kStride);
      _tile_stored(3, to + 48, kStride);
    }
  }

  template <int kHalves>
  static EYRIE_INLINE void add_values_of(Group& g, const bf16* values, int64_t stored, int64_t blocks, int64_t d) {
    const int stride = static_cast<int>(stored * 4);
    float* acc = g.acc + d;
    _tile_loadd(0, acc, stride);
    _tile_loadd(1, acc + 16, stride);
    if constexpr (kHalves == 2) {
      _tile_loadd(2, acc + 32, stride);
      _tile_loadd(3, acc + 48, stride);
    }
    for (int64_t block = 0; block < blocks; ++block) {
      const bf16* v = values + block * kv_block_elements(stored) + value_index_bf16(0, d);
      _tile_loadd(4, g.p + block * kKvBlock, kAttentionBlock * 2);
      _tile_loadd(5, v, 64);
      _tile_dpbf16ps(0, 4, 5);
      _tile_loadd(6, v + 512, 64);
      _tile_dpbf16ps(1, 4, 6);
      if constexpr (kHalves == 2) {
        _tile_loadd(5, v + 1024, 64);
        _tile_dpbf16ps(2, 4, 5);
        _tile_loadd(6, v + 1536, 64);
        _tile_dpbf16ps(3, 4, 6);
      }
    }
    _tile_stored(0, acc, stride);
    _tile_stored(1, acc + 16, stride);
    if constexpr (kHalves == 2) {
      _tile_stored(2, acc + 32, stride);
      _tile_stored(3, acc + 48, stride);
    }
  }
};

void attend_tasks(const AttentionTask* tasks, int64_t count) {
  const amx::TileScope tiles;
  for (int64_t i = 0; i < count; ++i) attend_in_groups<TileProducts>(tasks[i]);
}

}  // namespace

extern constinit const AttentionKernel kAttentionBfloat16Amx = attend_tasks;

}  // namespace eyrie
