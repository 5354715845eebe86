// int8 weights times x as 8-bit codes (x_codes.h), by vpdpbusd: twice the products of dpbf16 per instruction.

#include <immintrin.h>

#include <cmath>
#include <cstring>

#include "cpu/linear/linear_kernels.h"
#include "cpu/linear/x_codes.h"
#include "cpu/packing/panel_layout.h"
#include "cpu/simd/prefetch_lines.h"

namespace eyrie {

namespace {

constexpr int64_t kRows = kCodeRows;                                          // of x, times 32 columns: sums in 16 registers
constexpr int64_t kStepBytes = kCodeGroup / kPanelStep * 2 * kCodeTileBytes;  // of a panel: 4 KiB
constexpr int64_t kQuads = kCodeGroup / 4;                                    // of k in a step
constexpr int64_t kRangeGroups = 4;                                           // steps of a range: 16 KiB as in bfloat16
constexpr int64_t kQuadsPerFetch = 8;  // prefetches come in between, not as a burst; those of one tile

// Where quad `quad` of the left 16 columns lies in a step of a panel; the right ones follow kCodeTileBytes later.
EYRIE_INLINE int64_t quad_at(int64_t quad) { return quad / 8 * (2 * kCodeTileBytes) + quad % 8 * 64; }

// ---- x

/// The largest of 32 unsigned 16-bit numbers.
EYRIE_INLINE uint16_t largest(__m512i v) {
  const __m256i half = _mm256_max_epu16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  const __m128i quarter = _mm_max_epu16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  const __m128i smallest = _mm_minpos_epu16(_mm_xor_si128(quarter, _mm_set1_epi16(-1)));
  return static_cast<uint16_t>(~_mm_extract_epi16(smallest, 0));
}

EYRIE_INLINE float max_magnitude(const bf16* x) {
  __m512i most = _mm512_setzero_si512();
  // Magnitudes of bfloat16 are ordered as their bits are; NaN comes after infinity.
  for (int64_t i = 0; i < kCodeGroup; i += 32)
    most = _mm512_max_epu16(most, _mm512_and_si512(_mm512_loadu_si512(x + i), _mm512_set1_epi16(0x7fff)));
  return to_float(bf16{largest(most)});
}

/// One row of one group.
EYRIE_INLINE void pack_group(const bf16* x, int8_t* codes, int32_t* offset, float* scale) {
  const float magnitude = max_magnitude(x);
  if (!(magnitude >= kCodeFloor) || std::isinf(magnitude)) {
    std::memset(codes, 0, kCodeGroup);
    *offset = 0;
    *scale = magnitude < kCodeFloor ? 0.0f : std::nanf("");  // reaches the whole row, as in any sum
    return;
  }
  const __m512 inverse = _mm512_set1_ps(127.0f / magnitude);
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < kCodeGroup; i += 16) {
    const __m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i))), 16);
    const __m512i code =
        _mm512_cvt_roundps_epi32(_mm512_mul_ps(_mm512_castsi512_ps(bits), inverse), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + i), _mm512_cvtsepi32_epi8(code));
    sum = _mm512_add_epi32(sum, code);
  }
  *offset = -128 * _mm512_reduce_add_epi32(sum);
  *scale = magnitude / 127.0f;
}

void pack_code_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out) {
  for (int64_t s = 0; s < steps; ++s) {
    char* to = static_cast<char*>(out) + s * kCodeStepBytes;
    const int64_t begin = (first_step + s) * kCodeGroup, values = k - begin < kCodeGroup ? k - begin : kCodeGroup;
    for (int64_t r = 0; r < kRows; ++r) {
      alignas(64) bf16 padded[kCodeGroup] = {};
      const bf16* from = static_cast<const bf16*>(x) + r * k + begin;
      if (r >= rows) {
        from = padded;
      } else if (values < kCodeGroup) {
        std::memcpy(padded, from, static_cast<size_t>(values) * sizeof(bf16));
        from = padded;
      }
      pack_group(from, reinterpret_cast<int8_t*>(to + r * kCodeGroup), reinterpret_cast<int32_t*>(to + kCodeOffsetsAt) + r,
                 reinterpret_cast<float*>(to + kCodeScalesAt) + r);
    }
  }
}

// ---- weights

/// The weights of one panel over the steps of a call, as weight + 128 with four values of k in each 32-bit lane. The first
/// block of x calls prepare() for each quad that it multiplies, one step ahead; within a range the others find it done.
class UnsignedWeights {
 public:
  EYRIE_INLINE UnsignedWeights(const char* slice, int64_t steps) : slice_(slice), steps_(steps) {
    for (int64_t quad = 0; quad < kQuads; ++quad) expand(0, quad);
  }
  EYRIE_INLINE const char* at(int64_t step) const { return values_ + step % kRangeGroups * kStepBytes; }
  EYRIE_INLINE void prepare(int64_t step, int64_t quad) {
    if (step + 1 < steps_) expand(step + 1, quad);
  }

 private:
  EYRIE_INLINE void expand(int64_t step, int64_t quad) {
    const char* from = slice_ + step * kStepBytes + quad_at(quad);
    char* to = values_ + step % kRangeGroups * kStepBytes + quad_at(quad);
    expand_line(from, to);
    expand_line(from + kCodeTileBytes, to + kCodeTileBytes);
  }

  static EYRIE_INLINE void expand_line(const char* from, char* to) {
    // Of four columns a line has two runs: their first two values of k, then their last two.
    const __m512i order = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
    const __m512i codes = _mm512_shuffle_epi8(_mm512_loadu_si512(from), order), sign = _mm512_set1_epi8(static_cast<char>(0x80));
    // Sign and magnitude m, read as a signed byte: m, or m - 128. The magnitude of that is 128 - m where 128 - m is wanted;
    // elsewhere the upper bit makes 128 + m of it.
    constexpr int kOrOfSignWithoutCode = 0xf2;  // a | (~b & c)
    _mm512_store_si512(to, _mm512_ternarylogic_epi32(_mm512_abs_epi8(codes), codes, sign, kOrOfSignWithoutCode));
  }

  alignas(64) char values_[kRangeGroups * kStepBytes];
  const char* slice_;
  int64_t steps_;
};

// ---- the product

/// One block of x, of which the first `rows` count and kUsed are multiplied.
template <int kUsed, bool kPrepare>
EYRIE_INLINE void multiply_block(const MultiplyCall& call, int64_t rows, const char* x, UnsignedWeights& weights, float* sums,
                                 PrefetchLines& next) {
  if constexpr (kUsed > 1)
    if (rows <= kUsed / 2) return multiply_block<kUsed / 2, kPrepare>(call, rows, x, weights, sums, next);
  for (int64_t step = 0; step < call.steps; step++, x += kCodeStepBytes) {
    const char* panel = weights.at(step);
    const int32_t* offsets = reinterpret_cast<const int32_t*>(x + kCodeOffsetsAt);
    const float* scales = reinterpret_cast<const float*>(x + kCodeScalesAt);
    __m512i acc[kUsed][2];
    for (int r = 0; r < kUsed; ++r) acc[r][0] = acc[r][1] = _mm512_set1_epi32(offsets[r]);
    for (int64_t begin = 0; begin < kQuads; begin += kQuadsPerFetch) {
      next.step<kToSecondLevel>();
      const char* lines = panel + quad_at(begin);
      const char* codes = x + begin * 4;
#pragma GCC unroll 8
      for (int64_t quad = 0; quad < kQuadsPerFetch; ++quad) {
        if constexpr (kPrepare) weights.prepare(step, begin + quad);
        const __m512i left = _mm512_load_si512(lines + quad_at(quad)), right = _mm512_load_si512(lines + quad_at(quad) + kCodeTileBytes);
        for (int r = 0; r < kUsed; ++r) {
          const __m512i value = _mm512_set1_epi32(*reinterpret_cast<const int32_t*>(codes + r * kCodeGroup + quad * 4));
          acc[r][0] = _mm512_dpbusd_epi32(acc[r][0], left, value);
          acc[r][1] = _mm512_dpbusd_epi32(acc[r][1], right, value);
        }
      }
    }
    const bool first = call.first && step == 0;
    for (int r = 0; r < kUsed; ++r) {
      const __m512 scale = _mm512_set1_ps(scales[r]);
      for (int v = 0; v < 2; ++v) {
        float* at = sums + r * kPanelColumns + v * 16;
        const __m512 before = first ? _mm512_setzero_ps() : _mm512_loadu_ps(at);
        _mm512_storeu_ps(at, _mm512_fmadd_ps(_mm512_cvtepi32_ps(acc[r][v]), scale, before));
      }
    }
  }
}

void multiply(const MultiplyCall& call) {
  const int64_t blocks = (call.rows + kRows - 1) / kRows;
  for (int64_t i = 0; i < call.panels; ++i) {
    const char* ahead = blocks == 1 ? call.panel_at(i) + kStreamAhead : call.after(i);
    PrefetchLines next(ahead, call.steps * kStepBytes, blocks * call.steps * (kQuads / kQuadsPerFetch));
    UnsignedWeights weights(call.panel_at(i), call.steps);
    const char* x = static_cast<const char*>(call.x);
    float* sums = call.sums_at(i);
    multiply_block<kRows, true>(call, call.rows, x, weights, sums, next);
    for (int64_t row = kRows; row < call.rows; row += kRows)
      multiply_block<kRows, false>(call, call.rows - row, x += call.x_block_bytes, weights, sums += kRows * kPanelColumns, next);
  }
}

}  // namespace

extern constinit const ProductKernel kInt8Avx512Vnni = {.row_block = kRows,
                                                        .k_step = kCodeGroup,
                                                        .x_step_bytes = kCodeStepBytes,
                                                        .panel_step_bytes = kStepBytes,
                                                        .range_steps = kRangeGroups,
                                                        .two_block_steps = kRangeGroups,
                                                        .streams = true,
                                                        .pack_x = pack_code_blocks,
                                                        .multiply = multiply,
                                                        .enter = nullptr,
                                                        .leave = nullptr};

}  // namespace eyrie
