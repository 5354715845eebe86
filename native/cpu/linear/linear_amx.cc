#include <immintrin.h>

#include <bit>

#include "cpu/linear/expand_codes.h"
#include "cpu/linear/linear_kernels.h"
#include "cpu/linear/x_blocks.h"
#include "cpu/simd/tile_config.h"

namespace eyrie {

namespace {

// A step is 32 values of k: two tiles of x (16 rows each) times two tiles of weights (16 columns each).
// Tiles 0-3 hold the sums, 4 and 5 the weights, 6 and 7 x.
constexpr int64_t kStepBytes = 2 * kTileBytes;
constexpr int kSumsStride = kPanelColumns * 4;
// With two blocks memory is what the tiles wait for: x should stay in L1 too.
constexpr int64_t kTwoBlockSteps = kRangeSteps / 2;

EYRIE_INLINE void load_sums(const float* sums, bool first) {
  if (first) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    return;
  }
  _tile_loadd(0, sums, kSumsStride);
  _tile_loadd(1, sums + 16, kSumsStride);
  _tile_loadd(2, sums + 16 * kPanelColumns, kSumsStride);
  _tile_loadd(3, sums + 16 * kPanelColumns + 16, kSumsStride);
}

EYRIE_INLINE void store_sums(float* sums) {
  _tile_stored(0, sums, kSumsStride);
  _tile_stored(1, sums + 16, kSumsStride);
  _tile_stored(2, sums + 16 * kPanelColumns, kSumsStride);
  _tile_stored(3, sums + 16 * kPanelColumns + 16, kSumsStride);
}

template <int kHint>
EYRIE_INLINE void fetch(const char* p, int64_t lines) {
  for (int64_t i = 0; i < lines; ++i) _mm_prefetch(p + i * 64, static_cast<_mm_hint>(kHint));
}

// between(quarter) runs between the tile instructions, which is where prefetches cost least: as a burst they fill the
// line buffers, and the tile loads wait behind them.
template <class Between>
EYRIE_INLINE void multiply_step(const char* weights, const char* x, Between between) {
  _tile_loadd(4, weights, 64);
  between(0);
  _tile_loadd(6, x, 64);
  _tile_dpbf16ps(0, 6, 4);
  between(1);
  _tile_loadd(5, weights + kTileBytes, 64);
  _tile_dpbf16ps(1, 6, 5);
  between(2);
  _tile_loadd(7, x + kTileBytes, 64);
  _tile_dpbf16ps(2, 7, 4);
  _tile_dpbf16ps(3, 7, 5);
  between(3);
}

// The weights of one panel over the steps of a call, read in order once by the first row block: at(i) gives step i to it
// and, within a range of kRangeSteps, to the others. prepare(i, quarter) is called while step i is multiplied.
//
// Four steps ahead to L2 and two to L1, counted in KiB, kept the memory busiest of all distances tried; from 64 KiB on it
// gets worse again. Past the end of the slice comes what is read next.

class PlainWeights {
 public:
  static constexpr int64_t kBytes = kStepBytes;
  EYRIE_INLINE PlainWeights(const char* slice, int64_t steps, const char* next) : slice_(slice), next_(next), steps_(steps) {}
  EYRIE_INLINE const char* at(int64_t i) const { return slice_ + i * kBytes; }
  EYRIE_INLINE void prepare(int64_t i, int64_t quarter) const {
    fetch<_MM_HINT_T1>(ahead(i + 2) + quarter * 512, 8);
    fetch<_MM_HINT_T0>(ahead(i + 1) + quarter * 512, 8);
  }

 private:
  EYRIE_INLINE const char* ahead(int64_t i) const { return i < steps_ ? at(i) : next_ + (i - steps_) * kBytes; }
  const char* slice_;
  const char* next_;
  int64_t steps_;
};

/// The bytes of 0, 1, ... 127 as bfloat16.
struct MagnitudeTable {
  alignas(64) uint8_t low[128] = {};
  alignas(64) uint8_t high[128] = {};
  constexpr MagnitudeTable() {
    for (int i = 0; i < 128; ++i) {
      const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(i)) >> 16;
      low[i] = static_cast<uint8_t>(bits & 0xff);
      high[i] = static_cast<uint8_t>(bits >> 8);
    }
  }
};
constexpr MagnitudeTable kMagnitudes;

/// int8: a table of 128 entries gives the two bytes of the bfloat16 for a magnitude; the sign is the upper bit of both.
class CodedWeights {
 public:
  static constexpr int64_t kBytes = kStepBytes / 2;
  EYRIE_INLINE CodedWeights(const char* slice, int64_t steps, const char* next) : slice_(slice), next_(next), steps_(steps) {
    for (int64_t i = 0; i < kAhead && i < steps; ++i)
      for (int64_t quarter = 0; quarter < 4; ++quarter) expand(i, quarter);
  }
  EYRIE_INLINE const char* at(int64_t i) const { return reinterpret_cast<const char*>(expanded_.values) + i % kRangeSteps * kStepBytes; }
  EYRIE_INLINE void prepare(int64_t i, int64_t quarter) {
    fetch<_MM_HINT_T1>(ahead(i + 4) + quarter * 256, 4);
    fetch<_MM_HINT_T0>(ahead(i + 2) + quarter * 256, 4);
    if (i + kAhead < steps_) expand(i + kAhead, quarter);
  }

 private:
  // So far ahead that the tile loads do not meet the stores on their way to the cache.
  static constexpr int64_t kAhead = 2;

  EYRIE_INLINE const char* ahead(int64_t i) const { return i < steps_ ? slice_ + i * kBytes : next_ + (i - steps_) * kBytes; }

  // Of a constant, so that the compiler may keep it in a register in spite of the stores.
  static EYRIE_INLINE __m512i table(const uint8_t* p) { return _mm512_load_si512(p); }

  EYRIE_INLINE void expand(int64_t i, int64_t quarter) {
    const char* from = slice_ + i * kBytes + quarter * 256;
    char* to = const_cast<char*>(at(i)) + quarter * 512;
    for (int64_t group = 0; group < 4; group++, from += 64, to += 128) {
      const __m512i codes = _mm512_loadu_si512(from);
      const __m512i low = _mm512_permutex2var_epi8(table(kMagnitudes.low), codes, table(kMagnitudes.low + 64));
      __m512i high = _mm512_permutex2var_epi8(table(kMagnitudes.high), codes, table(kMagnitudes.high + 64));
      high = _mm512_ternarylogic_epi32(high, codes, _mm512_set1_epi8(static_cast<char>(0x80)), 0xf8);  // high | (codes & 0x80)
      _mm512_store_si512(to, _mm512_unpacklo_epi8(low, high));
      _mm512_store_si512(to + 64, _mm512_unpackhi_epi8(low, high));
    }
  }

  const char* slice_;
  const char* next_;
  int64_t steps_;
  ExpandedSlice expanded_;
};

// The first row block pulls the slice of weights in. With more than two, the others have time to bring the next slice and
// the next slab of x to L2 meanwhile, a few lines per step; with two, the first alone keeps the memory busy.
template <class Weights>
void multiply_panel(const MultiplyCall& call, int64_t panel) {
  const int64_t blocks = (call.rows + kPairBlock - 1) / kPairBlock, slice_bytes = call.steps * Weights::kBytes;
  const char* next = call.after(panel);
  const char* x = static_cast<const char*>(call.x);
  float* sums = call.sums_at(panel);
  Weights weights(call.panel_at(panel), call.steps, next);
  load_sums(sums, call.first);
  for (int64_t i = 0; i < call.steps; ++i) {
    const char* xi = x + i * kStepBytes;
    multiply_step(weights.at(i), xi, [&](int64_t quarter) __attribute__((always_inline)) {
      weights.prepare(i, quarter);
      fetch<_MM_HINT_T0>(xi + kStepBytes + quarter * 512, 8);
    });
  }
  store_sums(sums);
  if (blocks == 1) return;

  const int64_t other_steps = (blocks - 1) * call.steps;
  const auto lines_per_step = [&](int64_t bytes) { return blocks > 2 && bytes > 0 ? (bytes / 64 + other_steps - 1) / other_steps : 0; };
  const int64_t weight_lines = lines_per_step(slice_bytes - 4096), x_lines = lines_per_step(call.next_x_bytes / call.panels);
  const char* next_x = static_cast<const char*>(call.next_x) + call.next_x_bytes * panel / call.panels;
  next += 4096;  // what the first block has brought already
  for (int64_t block = 1; block < blocks; ++block) {
    x += call.x_block_bytes;
    sums += kPairBlock * kPanelColumns;
    load_sums(sums, call.first);
    for (int64_t i = 0; i < call.steps; ++i) {
      const char* xi = x + i * kStepBytes;
      multiply_step(weights.at(i), xi,
                    [&](int64_t quarter) __attribute__((always_inline)) { fetch<_MM_HINT_T0>(xi + kStepBytes + quarter * 512, 8); });
      fetch<_MM_HINT_T1>(next, weight_lines);
      fetch<_MM_HINT_T1>(next_x, x_lines);
      next += weight_lines * 64;
      next_x += x_lines * 64;
    }
    store_sums(sums);
  }
}

template <class Weights>
void multiply(const MultiplyCall& call) {
  for (int64_t panel = 0; panel < call.panels; ++panel) multiply_panel<Weights>(call, panel);
}

void enter() { amx::configure_tiles(); }
void leave() { amx::release_tiles(); }

struct TileRows {};  // this level's own copy of the packing loop

}  // namespace

extern constinit const ProductKernel kBfloat16Amx = {.row_block = kPairBlock,
                                                     .k_step = kPanelStep,
                                                     .x_step_bytes = kStepBytes,
                                                     .panel_step_bytes = kStepBytes,
                                                     .range_steps = kRangeSteps,
                                                     .two_block_steps = kTwoBlockSteps,
                                                     .streams = true,
                                                     .pack_x = pack_pair_blocks<TileRows>,
                                                     .multiply = multiply<PlainWeights>,
                                                     .enter = enter,
                                                     .leave = leave};
extern constinit const ProductKernel kInt8Amx = {.row_block = kPairBlock,
                                                 .k_step = kPanelStep,
                                                 .x_step_bytes = kStepBytes,
                                                 .panel_step_bytes = kStepBytes / 2,
                                                 .range_steps = kRangeSteps,
                                                 .two_block_steps = kTwoBlockSteps,
                                                 .streams = true,
                                                 .pack_x = pack_pair_blocks<TileRows>,
                                                 .multiply = multiply<CodedWeights>,
                                                 .enter = enter,
                                                 .leave = leave};

}  // namespace eyrie
