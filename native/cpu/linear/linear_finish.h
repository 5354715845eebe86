#pragma once
// From partial sums to y, written once over a vector type V; the same bytes on every level.

#include "cpu/linear/linear_kernels.h"
#include "cpu/packing/panel_layout.h"
#include "cpu/simd/row_loops.h"
#include "numbers/gelu.h"

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
  for (int64_t r = 0; r < call.rows; ++r) {
    char* y = static_cast<char*>(call.y) + r * call.y_stride * y_bytes;
    for (int64_t c = 0; c < call.columns; c += 16) {
      const int n = call.columns - c < 16 ? static_cast<int>(call.columns - c) : 16;
      const float* panel = call.sums + c / kPanelColumns * (call.sums_bytes / 4);
      V v = V::load(panel + r * kPanelColumns + c % kPanelColumns);
      if (call.scales != nullptr) v = v * load_lanes<V>(call.scales + c, n);
      if (call.bias != nullptr) v = v + load_lanes<V>(call.bias + c, n);
      store(v, y + c * y_bytes, n);
    }
  }
}

}  // namespace eyrie
