// The meaning of the products: one output at a time, k ascending.

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "ops/linear_finish.h"
#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"
#include "ops/simd/vec_scalar.h"
#include "ops/x_blocks.h"

namespace eyrie {

namespace {

template <class X>
float as_float(X v) {
  if constexpr (std::is_same_v<X, float>) return v;
  else return to_float(v);
}

template <class X, int64_t kStep>
void pack_floats(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, const float*, void* out) {
  float* to = static_cast<float*>(out);
  for (int64_t i = first_step * kStep; i < (first_step + steps) * kStep; i++)
    for (int64_t r = 0; r < kFloatBlock; r++) *to++ = r < rows && i < k ? as_float(static_cast<const X*>(x)[r * k + i]) : 0.0f;
}

void pack_bytes(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, const float* inverse_scales,
                void* out) {
  uint8_t* to = static_cast<uint8_t*>(out);
  for (int64_t r = 0; r < kTileBlock; r++) {
    for (int64_t i = 0; i < steps * kStepInt8; i++) {
      const int64_t source = first_step * kStepInt8 + i;
      uint16_t q = 0;
      if (r < rows && source < k)
        q = inverse_scales[r] == 0 ? 32768 : quantise_x(to_float(static_cast<const bf16*>(x)[r * k + source]), inverse_scales[r]);
      to[byte_block_index(r, i)] = static_cast<uint8_t>(q >> 8);
      to[byte_block_index(r, i) + 1024] = static_cast<uint8_t>(q & 255);
    }
  }
}

void multiply_float32(const void* x, int64_t x_block_bytes, int64_t rows, const void* panel, int64_t steps, void* sums,
                      bool first) {
  for (int64_t r = 0; r < rows; r++) {
    const float* xr = reinterpret_cast<const float*>(static_cast<const char*>(x) + r / kFloatBlock * x_block_bytes) + r % kFloatBlock;
    float* out = static_cast<float*>(sums) + r * kPanelColumns;
    for (int64_t c = 0; c < kPanelColumns; c++) {
      float sum = first ? 0.0f : out[c];
      for (int64_t k = 0; k < steps; k++)
        sum = std::fma(xr[k * kFloatBlock], static_cast<const float*>(panel)[panel_index_float32(c, k)], sum);
      out[c] = sum;
    }
  }
}

void multiply_bfloat16(const void* x, int64_t x_block_bytes, int64_t rows, const void* panel, int64_t steps, void* sums,
                       bool first) {
  for (int64_t r = 0; r < rows; r++) {
    const float* xr = reinterpret_cast<const float*>(static_cast<const char*>(x) + r / kFloatBlock * x_block_bytes) + r % kFloatBlock;
    float* out = static_cast<float*>(sums) + r * kPanelColumns;
    for (int64_t c = 0; c < kPanelColumns; c++) {
      float sum = first ? 0.0f : out[c];
      for (int64_t k = 0; k < steps * kStepBfloat16; k++)
        sum = std::fma(xr[k * kFloatBlock], to_float(static_cast<const bf16*>(panel)[panel_index_bfloat16(c, k)]), sum);
      out[c] = sum;
    }
  }
}

void multiply_int8(const void* x, int64_t x_block_bytes, int64_t rows, const void* panel, int64_t steps, void* sums,
                   bool first) {
  for (int64_t r = 0; r < rows; r++) {
    const uint8_t* xr = static_cast<const uint8_t*>(x) + r / kTileBlock * x_block_bytes;
    int32_t* out = static_cast<int32_t*>(sums) + r * 2 * kPanelColumns;
    for (int64_t c = 0; c < kPanelColumns; c++) {
      int32_t high = first ? 0 : out[c], low = first ? 0 : out[kPanelColumns + c];
      for (int64_t k = 0; k < steps * kStepInt8; k++) {
        const int32_t w = static_cast<const int8_t*>(panel)[panel_index_int8(c, k)];
        high += xr[byte_block_index(r % kTileBlock, k)] * w;
        low += xr[byte_block_index(r % kTileBlock, k) + 1024] * w;
      }
      out[c] = high;
      out[kPanelColumns + c] = low;
    }
  }
}

float max_abs(const bf16* x, int64_t n) {
  uint16_t largest = 0;  // magnitudes order like integers, NaN above infinity
  for (int64_t i = 0; i < n; i++) largest = std::max<uint16_t>(largest, x[i].bits & 0x7fff);
  return to_float(bf16{largest});
}

}  // namespace

extern const LinearKernels kLinearKernelsScalar = {
    {kFloatBlock, 1, kFloatBlock * 4, kPanelColumns * 4, 1, pack_floats<float, 1>, multiply_float32},
    {kFloatBlock, kStepBfloat16, kStepBfloat16 * kFloatBlock * 4, 2 * kTileBytes, 1, pack_floats<bf16, kStepBfloat16>, multiply_bfloat16},
    {kTileBlock, kStepInt8, 4 * kTileBytes, 2 * kTileBytes, 2, pack_bytes, multiply_int8},
    finish_panel<scalar::Vec>,
    dequantise_panel<scalar::Vec>,
    max_abs,
};

}  // namespace eyrie
