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

// Brings 8 of the 32 lines of a step to L1, or to L2.
EYRIE_INLINE void fetch_quarter(const char* step, int quarter) { prefetch_lines<_MM_HINT_T0>(step + quarter * 512, 8); }
EYRIE_INLINE void fetch_quarter_far(const char* step, int quarter) { prefetch_lines<_MM_HINT_T1>(step + quarter * 512, 8); }

// One step: four tile products. between(quarter) is called between the tile instructions, which is where prefetches cost
// least: as a burst they fill the line buffers and the tile loads wait behind them.
template <class Type, class Between>
EYRIE_INLINE void multiply_step(const char* weights, const char* x, Between between) {
  _tile_loadd(4, weights, 64);
  between(0);
  _tile_loadd(6, x, 64);
  between(1);
  _tile_loadd(5, weights + kTileBytes, 64);
  Type::top();
  between(2);
  _tile_loadd(7, x + kTileBytes, 64);
  Type::bottom();
  between(3);
}

// One row block, the decode case: weights come straight from memory, x from L2. Two steps ahead to L2 and one to L1 kept
// the memory busiest of all distances tried; further ahead (from 64 KiB on) gets worse, as far as L2 allows.
template <class Type>
void stream_panel(const MultiplyCall& call, const char* weights, char* sums) {
  const char* x = static_cast<const char*>(call.x);
  load_sums<Type>(sums, call.first);
  for (int64_t i = 0; i < call.steps; i++, weights += kStepBytes, x += kStepBytes) {
    multiply_step<Type>(weights, x, [&](int quarter) __attribute__((always_inline)) {
      fetch_quarter_far(weights + 2 * kStepBytes, quarter);
      fetch_quarter(weights + kStepBytes, quarter);
      fetch_quarter(x + kStepBytes, quarter);
    });
  }
  store_sums<Type>(sums);
}

// Several row blocks, the prefill case. The first one pulls the slice of weights into L1, as above; the others find it
// there, while a few lines per step of the next slice and of the next slab of x are brought to L2.
template <class Type>
void multiply_slice(const MultiplyCall& call, const char* weights, char* panel_sums, const char* next_weights, const char* next_x) {
  const int64_t blocks = (call.rows + Type::kRowBlock - 1) / Type::kRowBlock;
  {
    const char* x = static_cast<const char*>(call.x);
    load_sums<Type>(panel_sums, call.first);
    for (int64_t i = 0; i < call.steps; i++, x += kStepBytes) {
      const auto ahead = [&](int64_t step) { return step < call.steps ? weights + step * kStepBytes : next_weights + (step - call.steps) * kStepBytes; };
      const char* far = ahead(i + 2);
      const char* near = ahead(i + 1);
      multiply_step<Type>(weights + i * kStepBytes, x, [&](int quarter) __attribute__((always_inline)) {
        fetch_quarter_far(far, quarter);
        fetch_quarter(near, quarter);
        fetch_quarter(x + kStepBytes, quarter);
      });
    }
    store_sums<Type>(panel_sums);
  }
  // With two blocks the first one alone keeps the memory busy.
  const int64_t other_steps = (blocks - 1) * call.steps, slice_lines = blocks > 2 ? (call.steps - 2) * (kStepBytes / 64) : 0;
  const int weight_lines = static_cast<int>((slice_lines + other_steps - 1) / other_steps);
  const int x_lines = blocks > 2 ? static_cast<int>((call.next_x_bytes / 64 / call.panels + other_steps - 1) / other_steps) : 0;
  next_weights += 2 * kStepBytes;  // two steps are there already
  for (int64_t block = 1; block < blocks; block++) {
    const char* x = static_cast<const char*>(call.x) + block * call.x_block_bytes;
    char* sums = panel_sums + block * Type::kRowBlock * Type::kSumsStride;
    load_sums<Type>(sums, call.first);
    for (int64_t i = 0; i < call.steps; i++, x += kStepBytes) {
      multiply_step<Type>(weights + i * kStepBytes, x, [&](int quarter) __attribute__((always_inline)) { fetch_quarter(x + kStepBytes, quarter); });
      prefetch_lines<_MM_HINT_T1>(next_weights, weight_lines);
      prefetch_lines<_MM_HINT_T1>(next_x, x_lines);
      next_weights += weight_lines * 64;
      next_x += x_lines * 64;
    }
    store_sums<Type>(sums);
  }
}

template <class Type>
void multiply(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++) {
    if (call.rows <= Type::kRowBlock) stream_panel<Type>(call, call.panel_at(i), call.sums_at(i));
    else multiply_slice<Type>(call, call.panel_at(i), call.sums_at(i), call.after(i), static_cast<const char*>(call.next_x) + call.next_x_bytes * i / call.panels);
  }
}

void enter() { amx::configure_tiles(); }
void leave() { amx::release_tiles(); }

constexpr ProductKernel with_tiles(ProductKernel kernel) {
  kernel.enter = enter;
  kernel.leave = leave;
  return kernel;
}

}  // namespace

extern constinit const ProductKernel kBfloat16Amx = with_tiles(pair_product(pack_pair_blocks<TileRows>, multiply<Bfloat16>));
extern constinit const ProductKernel kInt8Amx = with_tiles(int8_product(pack_byte_blocks<avx512::ByteLanes>, multiply<Int8>));

}  // namespace eyrie
