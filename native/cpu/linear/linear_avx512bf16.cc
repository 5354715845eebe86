#include <immintrin.h>

#include "cpu/linear/linear_kernels.h"
#include "cpu/linear/x_blocks.h"
#include "cpu/packing/panel_layout.h"
#include "cpu/simd/prefetch_lines.h"
#include "cpu/simd/vec_avx512.h"

namespace eyrie {

namespace {

using avx512::Vec;

// Sums of 8 rows x 32 columns in 16 registers: 10 loads feed 16 multiply instructions. A block of x is these 8 rows, so that
// what the inner loop reads is one run of memory.
constexpr int64_t kRows = 8;
constexpr int64_t kXStepBytes = kRows * 64;
constexpr int64_t kStepBytes = 2 * kTileBytes;  // of a panel, as bfloat16
constexpr int64_t kPairs = 16;                  // of k in a step

/// One block of x, of which the first `rows` count and kUsed are multiplied. dpbf16 adds the products of a pair to the sum with
/// one rounding less than two fused steps, denormals taken as zero.
template <int kUsed>
EYRIE_INLINE void multiply_block(const MultiplyCall& call, int64_t rows, const char* x, const char* panel, float* sums,
                                 PrefetchLines& next) {
  if constexpr (kUsed > 1)
    if (rows <= kUsed / 2) return multiply_block<kUsed / 2>(call, rows, x, panel, sums, next);
  // The sums of the next block, which this one writes past or has not seen for a whole slice.
  PrefetchLines next_sums(sums + kRows * kPanelColumns, kRows * kPanelColumns * 4, kRangeSteps);
  __m512 acc[kUsed][2];
  for (int r = 0; r < kUsed; ++r)
    for (int v = 0; v < 2; ++v) acc[r][v] = call.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kPanelColumns + v * 16);
  for (int64_t step = 0; step < call.steps; step++, x += kXStepBytes, panel += kStepBytes) {
    next.step<kToSecondLevel>();
    next_sums.step<kToFirstLevel>();
#pragma GCC unroll 4
    for (int64_t pair = 0; pair < kPairs; ++pair) {
      const __m512bh left = (__m512bh)_mm512_loadu_si512(panel + pair * 64);
      const __m512bh right = (__m512bh)_mm512_loadu_si512(panel + kTileBytes + pair * 64);
      for (int r = 0; r < kUsed; ++r) {
        const __m512bh value = (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(x + r * 64 + pair * 4));
        acc[r][0] = _mm512_dpbf16_ps(acc[r][0], value, left);
        acc[r][1] = _mm512_dpbf16_ps(acc[r][1], value, right);
      }
    }
  }
  for (int r = 0; r < kUsed; ++r)
    for (int v = 0; v < 2; ++v) _mm512_storeu_ps(sums + r * kPanelColumns + v * 16, acc[r][v]);
}

void multiply(const MultiplyCall& call) {
  const int64_t blocks = (call.rows + kRows - 1) / kRows;
  for (int64_t i = 0; i < call.panels; ++i) {
    const char* panel = call.panel_at(i);
    PrefetchLines next(blocks == 1 ? panel + kStreamAhead : call.after(i), call.steps * kStepBytes, blocks * call.steps);
    const char* x = static_cast<const char*>(call.x);
    float* sums = call.sums_at(i);
    for (int64_t row = 0; row < call.rows; row += kRows, x += call.x_block_bytes, sums += kRows * kPanelColumns)
      multiply_block<kRows>(call, call.rows - row, x, panel, sums, next);
  }
}

}  // namespace

extern constinit const ProductKernel kBfloat16Avx512Bf16 = {.row_block = kRows,
                                                            .k_step = kPanelStep,
                                                            .x_step_bytes = kXStepBytes,
                                                            .panel_step_bytes = kStepBytes,
                                                            .range_steps = kRangeSteps,
                                                            .two_block_steps = kRangeSteps,
                                                            .streams = true,
                                                            .pack_x = pack_pair_blocks<Vec, kRows>,
                                                            .multiply = multiply,
                                                            .enter = nullptr,
                                                            .leave = nullptr};

}  // namespace eyrie
