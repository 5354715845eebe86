#include "ops/linear_body.h"
#include "ops/linear_finish.h"
#include "ops/simd/vec_scalar.h"

namespace eyrie {

namespace {

using scalar::Vec;

void pack_bytes(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, const float* inverse_scales,
                void* out) {
  uint8_t* to = static_cast<uint8_t*>(out);
  for (int64_t r = 0; r < kByteBlock; r++) {
    for (int64_t i = 0; i < steps * kStepInt8; i++) {
      const int64_t source = first_step * kStepInt8 + i;
      const bool present = r < rows && source < k;
      // An inverse of zero stands for a row that counts as zero; its values may be anything, even NaN.
      const float value = present && inverse_scales[r] != 0 ? to_float(static_cast<const bf16*>(x)[r * k + source]) : 0.0f;
      const uint16_t q = present ? quantise_x(value, inverse_scales[r]) : 0;
      to[byte_block_index(r, i)] = static_cast<uint8_t>(q >> 8);
      to[byte_block_index(r, i) + kTileBytes] = static_cast<uint8_t>(q & 255);
    }
  }
}

// The meaning of the int8 product: exact integer sums.
void multiply_panel_int8(const MultiplyCall& call, const char* panel_data, char* panel_sums) {
  const int8_t* panel = reinterpret_cast<const int8_t*>(panel_data);
  for (int64_t r = 0; r < call.rows; r++) {
    const uint8_t* x = static_cast<const uint8_t*>(call.x) + r / kByteBlock * call.x_block_bytes;
    int32_t* sums = reinterpret_cast<int32_t*>(panel_sums) + r * 2 * kPanelColumns;
    for (int64_t c = 0; c < kPanelColumns; c++) {
      int32_t high = call.first ? 0 : sums[c], low = call.first ? 0 : sums[kPanelColumns + c];
      for (int64_t k = 0; k < call.steps * kStepInt8; k++) {
        const int32_t w = panel[panel_index_int8(c, k)];
        high += x[byte_block_index(r % kByteBlock, k)] * w;
        low += x[byte_block_index(r % kByteBlock, k) + kTileBytes] * w;
      }
      sums[c] = high;
      sums[kPanelColumns + c] = low;
    }
  }
}

void multiply_int8(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++) multiply_panel_int8(call, call.panel_at(i), call.sums_at(i));
}

}  // namespace

extern constinit const ProductKernel kFloat32Scalar = float32_product<Vec, 1, 1>();
extern constinit const ProductKernel kBfloat16Scalar = bfloat16_product<Vec, 1, 1>();
extern constinit const ProductKernel kInt8Scalar = int8_product(pack_bytes, multiply_int8);
extern constinit const FinishKernels kFinishScalar = make_finish_kernels<Vec>();

}  // namespace eyrie
