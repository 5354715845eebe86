#include <immintrin.h>

#include "ops/int8_x_blocks.h"
#include "ops/int8_x_lanes_avx512.h"
#include "ops/pair_x_blocks.h"
#include "ops/simd/vec_avx512.h"

namespace eyrie {

namespace {

using avx512::Vec;

// Sums of 8 rows x 32 columns in 16 registers: 18 loads feed 16 multiply instructions.
constexpr int kRows = 8;

/// Brings the lines of [p, p + bytes) that fall to step `s` of `steps` into the second-level cache.
EYRIE_INLINE void prefetch_share(const void* p, int64_t bytes, int64_t s, int64_t steps) {
  const int64_t begin = bytes * s / steps / 64, end = bytes * (s + 1) / steps / 64;
  for (int64_t line = begin; line < end; line++) _mm_prefetch(static_cast<const char*>(p) + line * 64, _MM_HINT_T1);
}

// dpbf16 adds the products of a pair to the sum with one rounding less than two fused steps, denormals taken as zero.
void multiply_panel_bfloat16(const MultiplyCall& call, const char* panel_data, char* panel_sums, const char* next) {
  for (int64_t row = 0; row < call.rows; row += kRows) {
    const char* x = static_cast<const char*>(call.x) + row / kPairBlock * call.x_block_bytes + row % kPairBlock * 64;
    float* sums = reinterpret_cast<float*>(panel_sums) + row * kPanelColumns;
    __m512 acc[kRows][2];
    for (int r = 0; r < kRows; r++)
      for (int v = 0; v < 2; v++)
        acc[r][v] = call.first ? _mm512_setzero_ps() : _mm512_loadu_ps(sums + r * kPanelColumns + v * 16);
    for (int64_t s = 0; s < call.steps; s++) {
      const char* panel = panel_data + s * 2 * kTileBytes;
      const char* xs = x + s * 2 * kTileBytes;
      if (row == 0) prefetch_share(next, call.steps * 2 * kTileBytes, s, call.steps);
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

// 4 rows, both planes, x 32 columns: 16 sums.
void multiply_panel_int8(const MultiplyCall& call, const char* panel_data, char* panel_sums, const char* next) {
  constexpr int kByteRows = 4;
  for (int64_t row = 0; row < call.rows; row += kByteRows) {
    const char* x = static_cast<const char*>(call.x) + row / kByteBlock * call.x_block_bytes + row % kByteBlock * 64;
    int32_t* sums = reinterpret_cast<int32_t*>(panel_sums) + row * 2 * kPanelColumns;
    __m512i acc[kByteRows][4];  // high left, high right, low left, low right, as they lie in memory
    for (int r = 0; r < kByteRows; r++)
      for (int v = 0; v < 4; v++) acc[r][v] = call.first ? _mm512_setzero_si512() : _mm512_loadu_si512(sums + r * 64 + v * 16);
    for (int64_t s = 0; s < call.steps; s++) {
      const char* panel = panel_data + s * 2 * kTileBytes;
      const char* xs = x + s * 2 * kTileBytes;
      if (row == 0) prefetch_share(next, call.steps * 2 * kTileBytes, s, call.steps);
      for (int quad = 0; quad < 16; quad++) {
        const __m512i left = _mm512_loadu_si512(panel + quad * 64), right = _mm512_loadu_si512(panel + kTileBytes + quad * 64);
        for (int r = 0; r < kByteRows; r++) {
          const __m512i high = _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(xs + r * 64 + quad * 4));
          const __m512i low = _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(xs + kTileBytes + r * 64 + quad * 4));
          acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], high, left);
          acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], high, right);
          acc[r][2] = _mm512_dpbusd_epi32(acc[r][2], low, left);
          acc[r][3] = _mm512_dpbusd_epi32(acc[r][3], low, right);
        }
      }
    }
    for (int r = 0; r < kByteRows; r++)
      for (int v = 0; v < 4; v++) _mm512_storeu_si512(sums + r * 64 + v * 16, acc[r][v]);
  }
}

template <auto kMultiplyPanel>
void multiply(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++) kMultiplyPanel(call, call.panel_at(i), call.sums_at(i), call.after(i));
}

}  // namespace

extern constinit const ProductKernel kBfloat16Avx512Bf16 = pair_product(pack_pair_blocks<Vec>, multiply<multiply_panel_bfloat16>);
extern constinit const ProductKernel kInt8Vnni = int8_product(pack_byte_blocks<avx512::ByteLanes>, multiply<multiply_panel_int8>);

}  // namespace eyrie
