#include <immintrin.h>

#include "ops/expand_codes.h"
#include "ops/linear_kernels.h"
#include "ops/simd/vec_avx512.h"
#include "ops/x_blocks.h"

namespace eyrie {

namespace {

using avx512::Vec;

// Sums of 8 rows x 32 columns in 16 registers: 18 loads feed 16 multiply instructions.
constexpr int kRows = 8;

/// Brings the lines of [p, p + bytes) that fall to step `s` of `steps` into the second-level cache.
EYRIE_INLINE void prefetch_share(const char* p, int64_t bytes, int64_t s, int64_t steps) {
  for (int64_t line = bytes * s / steps / 64; line < bytes * (s + 1) / steps / 64; line++) _mm_prefetch(p + line * 64, _MM_HINT_T1);
}

// dpbf16 adds the products of a pair to the sum with one rounding less than two fused steps, denormals taken as zero.
EYRIE_INLINE void multiply_panel(const MultiplyCall& call, const void* panel_data, float* panel_sums, const char* next, int64_t next_bytes) {
  for (int64_t row = 0; row < call.rows; row += kRows) {
    const char* x = static_cast<const char*>(call.x) + row / kPairBlock * call.x_block_bytes + row % kPairBlock * 64;
    float* sums = panel_sums + row * kPanelColumns;
    __m512 acc[kRows][2];
    for (int r = 0; r < kRows; r++)
      for (int v = 0; v < 2; v++) acc[r][v] = call.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kPanelColumns + v * 16);
    for (int64_t s = 0; s < call.steps; s++) {
      const char* panel = static_cast<const char*>(panel_data) + s * 2 * kTileBytes;
      const char* xs = x + s * 2 * kTileBytes;
      if (row == 0) prefetch_share(next, next_bytes, s, call.steps);
      for (int pair = 0; pair < 16; pair++) {
        const __m512bh left = (__m512bh)_mm512_loadu_si512(panel + pair * 64);
        const __m512bh right = (__m512bh)_mm512_loadu_si512(panel + kTileBytes + pair * 64);
        for (int r = 0; r < kRows; r++) {
          const __m512bh value = (__m512bh)_mm512_set1_epi32(*reinterpret_cast<const int32_t*>(xs + r * 64 + pair * 4));
          acc[r][0] = _mm512_dpbf16_ps(acc[r][0], value, left);
          acc[r][1] = _mm512_dpbf16_ps(acc[r][1], value, right);
        }
      }
    }
    for (int r = 0; r < kRows; r++)
      for (int v = 0; v < 2; v++) _mm512_storeu_ps(sums + r * kPanelColumns + v * 16, acc[r][v]);
  }
}

void multiply_bfloat16(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++)
    multiply_panel(call, call.panel_at(i), call.sums_at(i), call.after(i), call.steps * 2 * kTileBytes);
}

void multiply_int8(const MultiplyCall& call) {
  ExpandedSlice slice;
  for (int64_t i = 0; i < call.panels; i++) {
    expand_codes<Vec>(call.panel_at(i), call.steps, slice);
    multiply_panel(call, slice.values, call.sums_at(i), call.after(i), call.steps * 2 * kCodeTileBytes);
  }
}

}  // namespace

extern constinit const ProductKernel kBfloat16Avx512Bf16 = {
    .row_block = kPairBlock, .k_step = kPanelStep, .x_step_bytes = 2 * kTileBytes, .panel_step_bytes = 2 * kTileBytes,
    .range_steps = kRangeSteps, .streams = true, .pack_x = pack_pair_blocks<Vec>, .multiply = multiply_bfloat16,
    .enter = nullptr, .leave = nullptr};
extern constinit const ProductKernel kInt8Avx512Bf16 = {
    .row_block = kPairBlock, .k_step = kPanelStep, .x_step_bytes = 2 * kTileBytes, .panel_step_bytes = 2 * kCodeTileBytes,
    .range_steps = kRangeSteps, .streams = false, .pack_x = pack_pair_blocks<Vec>, .multiply = multiply_int8,
    .enter = nullptr, .leave = nullptr};

}  // namespace eyrie
