#pragma once
// From partial sums to y, written once over a vector type V; the same bytes on every level.

#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"
#include "ops/simd/gelu.h"
#include "ops/simd/row_loops.h"

namespace eyrie {

/// Row by row across the panels, so that y is written in runs.
template <class V>
void finish_panels(const FinishCall& call) {
  const auto store = [&](V v, void* y, int n) __attribute__((always_inline)) {
    if (call.activation == Activation::gelu) v = gelu(v);
    if (call.y_dtype == DType::bfloat16) return v.store_bf16_part(static_cast<bf16*>(y), n);
    float* to = static_cast<float*>(y);
    if (call.accumulate) v = load_lanes<V>(to, n) + v;
    v.store_part(to, n);
  };
  const int64_t y_bytes = static_cast<int64_t>(dtype_bytes(call.y_dtype));
  for (int64_t r = 0; r < call.rows; r++) {
    char* y = static_cast<char*>(call.y) + r * call.y_stride * y_bytes;
    for (int64_t c = 0; c < call.columns; c += 16) {
      const int n = call.columns - c < 16 ? static_cast<int>(call.columns - c) : 16;
      const char* panel = static_cast<const char*>(call.sums) + c / kPanelColumns * call.sums_bytes;
      V v = V::load(reinterpret_cast<const float*>(panel) + r * kPanelColumns + c % kPanelColumns);
      if (call.bias != nullptr) v = v + load_lanes<V>(call.bias + c, n);
      store(v, y + c * y_bytes, n);
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
  return {finish_panels<V>, dequantise_panel<V>, max_abs_bfloat16<V>};
}

}  // namespace eyrie
