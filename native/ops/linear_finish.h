#pragma once
// From partial sums to y, written once over a vector type V; the same bytes on every level.

#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"
#include "ops/simd/gelu.h"
#include "ops/simd/row_loops.h"

namespace eyrie {

template <class V>
void finish_panel(const float* sums, int64_t rows, const PanelOutput& out) {
  for (int64_t r = 0; r < rows; r++) {
    for (int64_t c = 0; c < out.columns; c += 16) {
      const int n = out.columns - c < 16 ? static_cast<int>(out.columns - c) : 16;
      V v = V::load(sums + r * kPanelColumns + c);
      if (out.bias != nullptr) v = v + load_lanes<V>(out.bias + c, n);
      if (out.activation == Activation::gelu) v = gelu(v);
      if (out.y_dtype == DType::float32) {
        float* y = static_cast<float*>(out.y) + r * out.y_stride + c;
        if (out.accumulate) v = load_lanes<V>(y, n) + v;
        v.store_part(y, n);
      } else {
        v.store_bf16_part(static_cast<bf16*>(out.y) + r * out.y_stride + c, n);
      }
    }
  }
}

/// x = scale * (256 high + low - 32,768), so the sum is 256 high sums + low sums - 32,768 sums of weights: exact in
/// double, then rounded once.
template <class V>
void dequantise_panel(void* sums, int64_t rows, const float* row_scales, const float* column_scales,
                      const int32_t* column_sums) {
  for (int64_t r = 0; r < rows; r++) {
    const int32_t* in = static_cast<const int32_t*>(sums) + r * 2 * kPanelColumns;
    const V left = V::from_planes(in, in + kPanelColumns, column_sums);
    const V right = V::from_planes(in + 16, in + kPanelColumns + 16, column_sums + 16);
    const V scale = V::set(row_scales[r]);
    float* out = static_cast<float*>(sums) + r * kPanelColumns;
    (left * V::load(column_scales) * scale).store(out);
    (right * V::load(column_scales + 16) * scale).store(out + 16);
  }
}

template <class V>
float max_abs_bfloat16(const bf16* x, int64_t n) {
  uint16_t largest = 0;  // magnitudes order like integers, with NaN above infinity
  for (int64_t i = 0; i < n; i++) {
    const uint16_t magnitude = x[i].bits & 0x7fff;
    largest = largest > magnitude ? largest : magnitude;
  }
  return to_float(bf16{largest});
}

template <class V>
constexpr FinishKernels make_finish_kernels() {
  return {finish_panel<V>, dequantise_panel<V>, max_abs_bfloat16<V>};
}

}  // namespace eyrie
