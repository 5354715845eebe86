#include <immintrin.h>

#include "ops/int8_x_blocks.h"
#include "ops/int8_x_lanes_avx512.h"
#include "ops/pair_x_blocks.h"
#include "ops/tile_config.h"

namespace eyrie {

namespace {

// Tiles 0-3 hold sums of two row tiles times two column tiles, 4 and 5 the weights, 6 and 7 x.
//
// Both products run the same loop over steps of 2 KiB of weights and 2 KiB of x. For bfloat16 the two x tiles are 16
// rows each; for int8 they are the high and the low bytes of the same 16 rows.
struct Bfloat16 {
  static constexpr int64_t kRowBlock = kPairBlock;
  static constexpr int64_t kSumsStride = 128;                     // bytes of a row of sums
  static constexpr int64_t kSecondRows = 16 * 128;                // of the second x tile's sums
  static EYRIE_INLINE void top() { _tile_dpbf16ps(0, 6, 4); _tile_dpbf16ps(1, 6, 5); }
  static EYRIE_INLINE void bottom() { _tile_dpbf16ps(2, 7, 4); _tile_dpbf16ps(3, 7, 5); }
};
struct Int8 {
  static constexpr int64_t kRowBlock = kByteBlock;
  static constexpr int64_t kSumsStride = 256;
  static constexpr int64_t kSecondRows = 128;
  static EYRIE_INLINE void top() { _tile_dpbusd(0, 6, 4); _tile_dpbusd(1, 6, 5); }
  static EYRIE_INLINE void bottom() { _tile_dpbusd(2, 7, 4); _tile_dpbusd(3, 7, 5); }
};

constexpr int64_t kStepBytes = 2 * kTileBytes;

struct TileRows {};  // this level's own copy of the packing loop

template <class Type>
EYRIE_INLINE void load_sums(char* sums, bool first) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    return;
  }
  _tile_loadd(0, sums, Type::kSumsStride);
  _tile_loadd(1, sums + 64, Type::kSumsStride);
  _tile_loadd(2, sums + Type::kSecondRows, Type::kSumsStride);
  _tile_loadd(3, sums + Type::kSecondRows + 64, Type::kSumsStride);
}

template <class Type>
EYRIE_INLINE void store_sums(char* sums) {
  _tile_stored(0, sums, Type::kSumsStride);
  _tile_stored(1, sums + 64, Type::kSumsStride);
  _tile_stored(2, sums + Type::kSecondRows, Type::kSumsStride);
  _tile_stored(3, sums + Type::kSecondRows + 64, Type::kSumsStride);
}

template <int kHint>
EYRIE_INLINE void prefetch_lines(const char* p, int lines) {
  for (int i = 0; i < lines; i++) _mm_prefetch(p + i * 64, static_cast<_mm_hint>(kHint));
}

// One row block, the decode case: weights come straight from memory, x from the second-level cache. Distances are those
// that came nearest to the read bandwidth (99 % of it); prefetching spread between the tile instructions beats a burst.
template <class Type>
void stream_panel(const MultiplyCall& call, const char* weights, char* sums) {
  constexpr int64_t kFar = 8192, kNear = kStepBytes;
  const char* x = static_cast<const char*>(call.x);
  load_sums<Type>(sums, call.first);
  const auto ahead = [&](int64_t at) __attribute__((always_inline)) {
    prefetch_lines<_MM_HINT_T1>(weights + at + kFar, 8);
    prefetch_lines<_MM_HINT_T0>(weights + at + kNear, 8);
    prefetch_lines<_MM_HINT_T0>(x + at + kNear, 8);
  };
  for (int64_t at = 0; at < call.steps * kStepBytes; at += kStepBytes) {
    _tile_loadd(4, weights + at, 64);
    ahead(at);
    _tile_loadd(6, x + at, 64);
    ahead(at + 512);
    _tile_loadd(5, weights + at + kTileBytes, 64);
    Type::top();
    ahead(at + 1024);
    _tile_loadd(7, x + at + kTileBytes, 64);
    Type::bottom();
    ahead(at + 1536);
  }
  store_sums<Type>(sums);
}

// Several row blocks, the prefill case: the slice of weights stays in L1 while x passes from the second-level cache;
// meanwhile the next slice and the next slab of x are brought into the latter, a few lines per step.
template <class Type>
void multiply_slice(const MultiplyCall& call, const char* weights, char* panel_sums, const char* next_panel, const char* next_x) {
  const int64_t blocks = (call.rows + Type::kRowBlock - 1) / Type::kRowBlock, all_steps = blocks * call.steps;
  const int panel_lines = static_cast<int>((call.steps * (kStepBytes / 64) + all_steps - 1) / all_steps);
  const int x_lines = static_cast<int>((call.next_x_bytes / 64 / call.panels + all_steps - 1) / all_steps);
  for (int64_t block = 0; block < blocks; block++) {
    const char* x = static_cast<const char*>(call.x) + block * call.x_block_bytes;
    char* sums = panel_sums + block * Type::kRowBlock * Type::kSumsStride;
    load_sums<Type>(sums, call.first);
    for (int64_t at = 0; at < call.steps * kStepBytes; at += kStepBytes) {
      _tile_loadd(4, weights + at, 64);
      prefetch_lines<_MM_HINT_T0>(x + at + kStepBytes, 8);
      _tile_loadd(6, x + at, 64);
      prefetch_lines<_MM_HINT_T0>(x + at + kStepBytes + 512, 8);
      _tile_loadd(5, weights + at + kTileBytes, 64);
      Type::top();
      prefetch_lines<_MM_HINT_T0>(x + at + kStepBytes + 1024, 8);
      _tile_loadd(7, x + at + kTileBytes, 64);
      Type::bottom();
      prefetch_lines<_MM_HINT_T0>(x + at + kStepBytes + 1536, 8);
      prefetch_lines<_MM_HINT_T1>(next_panel, panel_lines);
      prefetch_lines<_MM_HINT_T1>(next_x, x_lines);
      next_panel += panel_lines * 64;
      next_x += x_lines * 64;
    }
    store_sums<Type>(sums);
  }
}

template <class Type>
void multiply(const MultiplyCall& call) {
  const amx::TileScope tiles;
  for (int64_t i = 0; i < call.panels; i++) {
    if (call.rows <= Type::kRowBlock) stream_panel<Type>(call, call.panel_at(i), call.sums_at(i));
    else multiply_slice<Type>(call, call.panel_at(i), call.sums_at(i), call.after(i), static_cast<const char*>(call.next_x) + call.next_x_bytes * i / call.panels);
  }
}

}  // namespace

extern constinit const ProductKernel kBfloat16Amx = pair_product(pack_pair_blocks<TileRows>, multiply<Bfloat16>);
extern constinit const ProductKernel kInt8Amx = int8_product(pack_byte_blocks<avx512::ByteLanes>, multiply<Int8>);

}  // namespace eyrie
