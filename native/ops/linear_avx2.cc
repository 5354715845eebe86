#include <immintrin.h>

#include "ops/int8_x_blocks.h"
#include "ops/linear_body.h"
#include "ops/linear_finish.h"
#include "ops/simd/vec_avx2.h"

namespace eyrie {

namespace {

using avx2::Vec;

__m256i load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }

// Bytes 0 and 2, or 1 and 3, of each 32-bit lane as 16-bit numbers. maddubs would saturate: 2 * 255 * 127 > 2^15.
struct Halves {
  __m256i even, odd;
};
Halves split_unsigned(__m256i v) {
  const __m256i mask = _mm256_set1_epi32(0x00ff00ff);
  return {_mm256_and_si256(v, mask), _mm256_and_si256(_mm256_srli_epi32(v, 8), mask)};
}
Halves split_signed(__m256i v) { return {_mm256_srai_epi16(_mm256_slli_epi16(v, 8), 8), _mm256_srai_epi16(v, 8)}; }

__m256i add_dot(__m256i sum, Halves x, Halves w) {
  return _mm256_add_epi32(sum, _mm256_add_epi32(_mm256_madd_epi16(x.even, w.even), _mm256_madd_epi16(x.odd, w.odd)));
}

// 2 rows (both planes) times 8 columns at a time.
void multiply_panel_int8(const MultiplyCall& call, const char* panel_data, char* panel_sums) {
  constexpr int kRows = 2;
  for (int64_t row = 0; row < call.rows; row += kRows) {
    const char* x = static_cast<const char*>(call.x) + row / kByteBlock * call.x_block_bytes + row % kByteBlock * 64;
    for (int64_t column = 0; column < kPanelColumns; column += 8) {
      const char* panel = panel_data + column / 16 * kTileBytes + column % 16 * 4;
      int32_t* sums = reinterpret_cast<int32_t*>(panel_sums) + row * 2 * kPanelColumns + column;
      __m256i high[kRows], low[kRows];
      for (int r = 0; r < kRows; r++) {
        const int32_t* at = sums + r * 2 * kPanelColumns;
        high[r] = call.first ? _mm256_setzero_si256() : load(at);
        low[r] = call.first ? _mm256_setzero_si256() : load(at + kPanelColumns);
      }
      for (int64_t s = 0; s < call.steps; s++) {
        for (int64_t quad = 0; quad < 16; quad++) {
          const Halves w = split_signed(load(panel + s * 2 * kTileBytes + quad * 64));
          for (int r = 0; r < kRows; r++) {
            const int32_t* at = reinterpret_cast<const int32_t*>(x + s * 2 * kTileBytes + r * 64) + quad;
            high[r] = add_dot(high[r], split_unsigned(_mm256_set1_epi32(at[0])), w);
            low[r] = add_dot(low[r], split_unsigned(_mm256_set1_epi32(at[kTileBytes / 4])), w);
          }
        }
      }
      for (int r = 0; r < kRows; r++) {
        int32_t* at = sums + r * 2 * kPanelColumns;
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at), high[r]);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(at + kPanelColumns), low[r]);
      }
    }
  }
}

void multiply_int8(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++) multiply_panel_int8(call, call.panel_at(i), call.sums_at(i));
}

struct Lanes {
  static void quantise(const bf16* x, float inverse_scale, uint8_t* high, uint8_t* low) {
    const Vec scaled = Vec::load_bf16(x) * Vec::set(inverse_scale);
    const __m256i offset = _mm256_set1_epi32(32768);
    const __m256i a = _mm256_add_epi32(_mm256_cvtps_epi32(scaled.lo), offset), b = _mm256_add_epi32(_mm256_cvtps_epi32(scaled.hi), offset);
    const __m256i q = _mm256_permute4x64_epi64(_mm256_packus_epi32(a, b), 0xd8);  // 16 x 16 bit, in order
    const auto bytes = [](__m256i v) {
      return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_packus_epi16(v, v), 0xd8));
    };
    _mm_storeu_si128(reinterpret_cast<__m128i*>(high), bytes(_mm256_srli_epi16(q, 8)));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(low), bytes(_mm256_and_si256(q, _mm256_set1_epi16(255))));
  }
};

}  // namespace

extern constinit const ProductKernel kFloat32Avx2 = float32_product<Vec, 4, 1>();
extern constinit const ProductKernel kBfloat16Avx2 = bfloat16_product<Vec, 4, 1>();
extern constinit const ProductKernel kInt8Avx2 = int8_product(pack_byte_blocks<Lanes>, multiply_int8);
extern constinit const FinishKernels kFinishAvx2 = make_finish_kernels<Vec>();

}  // namespace eyrie
