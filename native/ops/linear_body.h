#pragma once
// The products in float arithmetic, written once over a vector type V: float32 weights, and the others on levels without
// dpbf16. Each output is one chain of fused multiply-adds over ascending k, so all levels give the same bytes.

#include "ops/expand_codes.h"
#include "ops/linear_kernels.h"
#include "ops/panel_layout.h"
#include "ops/x_blocks.h"

namespace eyrie {

template <class V, int kVectors>
struct FloatWeights {
  static constexpr int64_t kStep = 1;
  static constexpr int kStepFloats = 32;  // floats of panel per step
  using Element = float;

  template <class Take>
  static EYRIE_INLINE void step(const float* panel, int64_t column, Take take) {
    V w[kVectors];
    for (int v = 0; v < kVectors; v++) w[v] = V::load(panel + column + v * 16);
    take(0, w);
  }
};

template <class V, int kVectors>
struct PairWeights {
  static constexpr int64_t kStep = kPanelStep;
  static constexpr int kStepFloats = 1024;
  using Element = bf16;

  template <class Take>
  static EYRIE_INLINE void step(const bf16* panel, int64_t column, Take take) {
    for (int64_t k = 0; k < kPanelStep; k += 2) {
      V even[kVectors], odd[kVectors];
      for (int v = 0; v < kVectors; v++) {
        const bf16* pairs = panel + panel_index_bfloat16(column + v * 16, k);
        even[v] = V::load_even(pairs);
        odd[v] = V::load_odd(pairs);
      }
      take(k, even);
      take(k + 1, odd);
    }
  }
};

/// kRows rows (a divisor of 8) times kVectors * 16 columns at a time: as many sums as the level has registers for.
template <class V, int kRows, int kVectors, template <class, int> class WeightsOf>
EYRIE_INLINE void multiply_panel(const MultiplyCall& call, const void* panel_data, float* panel_sums) {
  using Weights = WeightsOf<V, kVectors>;
  const auto* panel = static_cast<const typename Weights::Element*>(panel_data);
  for (int64_t row = 0; row < call.rows; row += kRows) {
    const float* x = reinterpret_cast<const float*>(static_cast<const char*>(call.x) + row / kFloatBlock * call.x_block_bytes) + row % kFloatBlock;
    for (int64_t column = 0; column < kPanelColumns; column += 16 * kVectors) {
      float* sums = panel_sums + row * kPanelColumns + column;
      V acc[kRows][kVectors];
      for (int r = 0; r < kRows; r++)
        for (int v = 0; v < kVectors; v++) acc[r][v] = call.first ? V::zero() : V::load(sums + r * kPanelColumns + v * 16);
      for (int64_t s = 0; s < call.steps; s++) {
        const float* xs = x + s * Weights::kStep * kFloatBlock;
        Weights::step(panel + s * Weights::kStepFloats, column, [&](int64_t k, const V* w) __attribute__((always_inline)) {
          for (int r = 0; r < kRows; r++) {
            const V value = V::set(xs[k * kFloatBlock + r]);
            for (int v = 0; v < kVectors; v++) acc[r][v] = fma(value, w[v], acc[r][v]);
          }
        });
      }
      for (int r = 0; r < kRows; r++)
        for (int v = 0; v < kVectors; v++) acc[r][v].store(sums + r * kPanelColumns + v * 16);
    }
  }
}

template <class V, int kRows, int kVectors, template <class, int> class WeightsOf>
void multiply_floats(const MultiplyCall& call) {
  for (int64_t i = 0; i < call.panels; i++) multiply_panel<V, kRows, kVectors, WeightsOf>(call, call.panel_at(i), call.sums_at(i));
}

/// int8 weights: each slice is expanded to bfloat16, then multiplied as such.
template <class V, int kRows, int kVectors>
void multiply_codes(const MultiplyCall& call) {
  ExpandedSlice slice;
  for (int64_t i = 0; i < call.panels; i++) {
    expand_codes<V>(call.panel_at(i), call.steps, slice);
    multiply_panel<V, kRows, kVectors, PairWeights>(call, slice.values, call.sums_at(i));
  }
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel float32_product() {
  return {.row_block = kFloatBlock, .k_step = 1, .x_step_bytes = kFloatBlock * 4, .panel_step_bytes = kPanelColumns * 4,
          .range_steps = 192, .two_block_steps = 192, .streams = true, .pack_x = pack_float_blocks<V, float, 1>,
          .multiply = multiply_floats<V, kRows, kVectors, FloatWeights>, .enter = nullptr, .leave = nullptr};
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel bfloat16_product() {
  return {.row_block = kFloatBlock, .k_step = kPanelStep, .x_step_bytes = kPanelStep * kFloatBlock * 4,
          .panel_step_bytes = 2 * kTileBytes, .range_steps = kRangeSteps, .two_block_steps = kRangeSteps, .streams = true,
          .pack_x = pack_float_blocks<V, bf16, kPanelStep>, .multiply = multiply_floats<V, kRows, kVectors, PairWeights>,
          .enter = nullptr, .leave = nullptr};
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel int8_product() {
  ProductKernel kernel = bfloat16_product<V, kRows, kVectors>();
  kernel.panel_step_bytes = 2 * kCodeTileBytes;
  kernel.streams = false;
  kernel.multiply = multiply_codes<V, kRows, kVectors>;
  return kernel;
}

}  // namespace eyrie
