#pragma once
// The products in float arithmetic, written once over a vector type V: float32 weights, and bfloat16 weights on levels
// without dpbf16. Each output is one chain of fused multiply-adds over ascending k, so all levels give the same bytes.

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
  static constexpr int64_t kStep = kStepBfloat16;
  static constexpr int kStepFloats = 1024;
  using Element = bf16;

  template <class Take>
  static EYRIE_INLINE void step(const bf16* panel, int64_t column, Take take) {
    for (int64_t k = 0; k < kStepBfloat16; k += 2) {
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
EYRIE_INLINE void multiply_panel(const MultiplyCall& call, const void* panel_data, char* panel_sums) {
  using Weights = WeightsOf<V, kVectors>;
  const auto* panel = static_cast<const typename Weights::Element*>(panel_data);
  for (int64_t row = 0; row < call.rows; row += kRows) {
    const float* x = reinterpret_cast<const float*>(static_cast<const char*>(call.x) + row / kFloatBlock * call.x_block_bytes) + row % kFloatBlock;
    for (int64_t column = 0; column < kPanelColumns; column += 16 * kVectors) {
      float* sums = reinterpret_cast<float*>(panel_sums) + row * kPanelColumns + column;
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

/// Float blocks from rows of X (float or bf16), kStep values of k to a step.
template <class V, class X, int64_t kStep>
void pack_float_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, const float*, void* out) {
  const int64_t begin = first_step * kStep, end = begin + steps * kStep, filled = end < k ? end : k;
  float* to = static_cast<float*>(out);
  for (int64_t r = 0; r < kFloatBlock; r++) {
    int64_t i = begin;
    if (r < rows) {
      const X* from = static_cast<const X*>(x) + r * k;
      for (; i < filled; i++) {
        if constexpr (sizeof(X) == 4) to[(i - begin) * kFloatBlock + r] = from[i];
        else to[(i - begin) * kFloatBlock + r] = to_float(from[i]);
      }
    }
    for (; i < end; i++) to[(i - begin) * kFloatBlock + r] = 0.0f;
  }
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel float32_product() {
  return {.row_block = kFloatBlock, .k_step = 1, .x_step_bytes = kFloatBlock * 4, .panel_step_bytes = kPanelColumns * 4,
          .planes = 1, .range_steps = 192, .rows_max = 512,
          .pack_x = pack_float_blocks<V, float, 1>, .multiply = multiply_floats<V, kRows, kVectors, FloatWeights>, .enter = nullptr, .leave = nullptr};
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel bfloat16_product() {
  return {.row_block = kFloatBlock, .k_step = kStepBfloat16, .x_step_bytes = kStepBfloat16 * kFloatBlock * 4,
          .panel_step_bytes = 2 * kTileBytes, .planes = 1, .range_steps = 8, .rows_max = 512,
          .pack_x = pack_float_blocks<V, bf16, kStepBfloat16>, .multiply = multiply_floats<V, kRows, kVectors, PairWeights>, .enter = nullptr, .leave = nullptr};
}

}  // namespace eyrie
