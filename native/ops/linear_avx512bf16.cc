#include <immintrin.h>

#include <bit>

#include "ops/expand_codes.h"
#include "ops/linear_kernels.h"
#include "ops/simd/vec_avx512.h"
#include "ops/x_blocks.h"

namespace eyrie {

namespace {

using avx512::Vec;

// Sums of 8 rows x 32 columns in 16 registers: 10 loads feed 16 multiply instructions. A block of x is these 8 rows, so that
// what the inner loop reads is one run of memory.
constexpr int64_t kRows = 8;
constexpr int64_t kXStepBytes = kRows * 64;
constexpr int64_t kStepBytes = 2 * kTileBytes;  // of a panel, as bfloat16
constexpr int64_t kPairs = 16;                  // of k in a step

// A single block of x waits for memory alone; of 1 to 16 KiB ahead this was best, for both weight types.
constexpr int64_t kStreamAhead = 8192;

/// Lines that later blocks will read, a few with every step of this one.
class Prefetch {
 public:
  EYRIE_INLINE Prefetch(const void* p, int64_t bytes, int64_t steps)
      : at_(static_cast<const char*>(p)), per_step_((bytes / 64 + steps - 1) / steps) {}
  template <_mm_hint kHint>
  EYRIE_INLINE void step() {
    for (int64_t i = 0; i < per_step_; i++, at_ += 64) _mm_prefetch(at_, kHint);
  }

 private:
  const char* at_;
  int64_t per_step_;
};

// The weights of one panel over the steps of a call: at(step) gives them as bfloat16. The first block of x calls
// prepare(step, pair) for each pair that it multiplies; within a range of kRangeSteps the others find all of it done.

class PlainWeights {
 public:
  static constexpr int64_t kBytes = kStepBytes;
  EYRIE_INLINE PlainWeights(const char* slice, int64_t) : slice_(slice) {}
  EYRIE_INLINE const char* at(int64_t step) const { return slice_ + step * kBytes; }
  EYRIE_INLINE void prepare(int64_t, int64_t) const {}

 private:
  const char* slice_;
};

/// 0, 1, ... 63 as bfloat16.
struct SmallMagnitudes {
  alignas(64) uint16_t bits[64] = {};
  constexpr SmallMagnitudes() {
    for (int i = 0; i < 64; i++) bits[i] = static_cast<uint16_t>(std::bit_cast<uint32_t>(static_cast<float>(i)) >> 16);
  }
};
constexpr SmallMagnitudes kSmallMagnitudes;

/// int8: expanded one step ahead of the first block's products, which leave the integer units idle.
class CodedWeights {
 public:
  static constexpr int64_t kBytes = kStepBytes / 2;
  EYRIE_INLINE CodedWeights(const char* slice, int64_t steps) : slice_(slice), steps_(steps) {
    for (int64_t pair = 0; pair < kPairs; pair++) expand(0, pair);
  }
  EYRIE_INLINE const char* at(int64_t step) const { return reinterpret_cast<const char*>(expanded_.values) + step % kRangeSteps * kStepBytes; }
  EYRIE_INLINE void prepare(int64_t step, int64_t pair) {
    if (step + 1 < steps_) expand(step + 1, pair);
  }

 private:
  /// 32 codes, one in each word: from a table below 64; from there to 127 the bits of 64 + i are 0x4280 + 2 i.
  static EYRIE_INLINE __m512i to_bfloat16(__m512i codes) {
    const __m512i low = _mm512_load_si512(kSmallMagnitudes.bits), high = _mm512_load_si512(kSmallMagnitudes.bits + 32);
    const __m512i magnitude = _mm512_and_si512(codes, _mm512_set1_epi16(0x7f));
    const __m512i looked_up = _mm512_permutex2var_epi16(low, codes, high);
    const __m512i value = _mm512_mask_add_epi16(looked_up, _mm512_test_epi16_mask(codes, _mm512_set1_epi16(0x40)),
                                                _mm512_add_epi16(magnitude, magnitude), _mm512_set1_epi16(0x4200));
    return _mm512_ternarylogic_epi32(value, _mm512_slli_epi16(codes, 8), _mm512_set1_epi16(static_cast<int16_t>(0x8000)), 0xf8);  // value | (codes & sign)
  }

  /// 64 codes: two rows of pairs.
  EYRIE_INLINE void expand(int64_t step, int64_t group) {
    const __m512i codes = _mm512_loadu_si512(slice_ + step * kBytes + group * 64);
    char* to = const_cast<char*>(at(step)) + group * 128;
    _mm512_store_si512(to, to_bfloat16(_mm512_unpacklo_epi8(codes, _mm512_setzero_si512())));
    _mm512_store_si512(to + 64, to_bfloat16(_mm512_unpackhi_epi8(codes, _mm512_setzero_si512())));
  }

  const char* slice_;
  int64_t steps_;
  ExpandedSlice expanded_;
};

/// One block of x, of which the first kUsed rows count. dpbf16 adds the products of a pair to the sum with one rounding
/// less than two fused steps, denormals taken as zero.
template <int kUsed, bool kPrepare, class Weights>
EYRIE_INLINE void multiply_block(const MultiplyCall& call, const char* x, Weights& weights, float* sums, Prefetch& next) {
  // The sums of the next block, which this one writes past or has not seen for a whole slice.
  Prefetch next_sums(sums + kRows * kPanelColumns, kRows * kPanelColumns * 4, kRangeSteps);
  __m512 acc[kUsed][2];
  for (int r = 0; r < kUsed; r++)
    for (int v = 0; v < 2; v++) acc[r][v] = call.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kPanelColumns + v * 16);
  for (int64_t step = 0; step < call.steps; step++, x += kXStepBytes) {
    next.step<_MM_HINT_T1>();
    next_sums.step<_MM_HINT_T0>();
    const char* panel = weights.at(step);
#pragma GCC unroll 4
    for (int64_t pair = 0; pair < kPairs; pair++) {
      if constexpr (kPrepare) weights.prepare(step, pair);
      const __m512bh left = (__m512bh)_mm512_loadu_si512(panel + pair * 64);
      const __m512bh right = (__m512bh)_mm512_loadu_si512(panel + kTileBytes + pair * 64);
      for (int r = 0; r < kUsed; r++) {
        const __m512bh value = (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(x + r * 64 + pair * 4));
        acc[r][0] = _mm512_dpbf16_ps(acc[r][0], value, left);
        acc[r][1] = _mm512_dpbf16_ps(acc[r][1], value, right);
      }
    }
  }
  for (int r = 0; r < kUsed; r++)
    for (int v = 0; v < 2; v++) _mm512_storeu_ps(sums + r * kPanelColumns + v * 16, acc[r][v]);
}

template <bool kPrepare, class Weights>
EYRIE_INLINE void multiply_rows(const MultiplyCall& call, int64_t rows, const char* x, Weights& weights, float* sums, Prefetch& next) {
  if (rows > 4) multiply_block<8, kPrepare>(call, x, weights, sums, next);
  else if (rows > 2) multiply_block<4, kPrepare>(call, x, weights, sums, next);
  else if (rows > 1) multiply_block<2, kPrepare>(call, x, weights, sums, next);
  else multiply_block<1, kPrepare>(call, x, weights, sums, next);
}

template <class Weights>
void multiply(const MultiplyCall& call) {
  const int64_t blocks = (call.rows + kRows - 1) / kRows;
  for (int64_t i = 0; i < call.panels; i++) {
    const char* ahead = blocks == 1 ? call.panel_at(i) + kStreamAhead : call.after(i);
    Prefetch next(ahead, call.steps * Weights::kBytes, blocks * call.steps);
    Weights weights(call.panel_at(i), call.steps);
    const char* x = static_cast<const char*>(call.x);
    float* sums = call.sums_at(i);
    multiply_rows<true>(call, call.rows, x, weights, sums, next);
    for (int64_t row = kRows; row < call.rows; row += kRows)
      multiply_rows<false>(call, call.rows - row, x += call.x_block_bytes, weights, sums += kRows * kPanelColumns, next);
  }
}

}  // namespace

extern constinit const ProductKernel kBfloat16Avx512Bf16 = {
    .row_block = kRows, .k_step = kPanelStep, .x_step_bytes = kXStepBytes, .panel_step_bytes = kStepBytes,
    .range_steps = kRangeSteps, .two_block_steps = kRangeSteps, .streams = true, .pack_x = pack_pair_blocks<Vec, kRows>, .multiply = multiply<PlainWeights>,
    .enter = nullptr, .leave = nullptr};
extern constinit const ProductKernel kInt8Avx512Bf16 = {
    .row_block = kRows, .k_step = kPanelStep, .x_step_bytes = kXStepBytes, .panel_step_bytes = kStepBytes / 2,
    .range_steps = kRangeSteps, .two_block_steps = kRangeSteps, .streams = true, .pack_x = pack_pair_blocks<Vec, kRows>, .multiply = multiply<CodedWeights>,
    .enter = nullptr, .leave = nullptr};

}  // namespace eyrie
