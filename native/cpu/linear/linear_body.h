#pragma once
// The products in float arithmetic, written once over a vector type V: float32 weights, and the others on levels without
// dpbf16. Each output is one chain of fused multiply-adds over ascending k, so all levels give the same bytes.

#include "cpu/linear/expand_codes.h"
#include "cpu/linear/linear_kernels.h"
#include "cpu/linear/x_blocks.h"
#include "cpu/packing/panel_layout.h"
#include "cpu/simd/prefetch_lines.h"

namespace eyrie {

// Forms of weights. floats() gives `steps` steps of a slice as float32 [k][32 columns], through a buffer where they are held
// as something else: converting takes as long as multiplying two rows, and is done once for all of them.

struct FloatWeights {
  static constexpr int64_t kStep = 1;  // values of k
  static constexpr int64_t kStepBytes = kPanelColumns * 4;
  static constexpr int64_t kSliceSteps = 192;  // that stay in L1 while blocks of x pass by

  struct Buffer {};
  template <class V>
  static EYRIE_INLINE const float* floats(const char* slice, int64_t, Buffer&) {
    return reinterpret_cast<const float*>(slice);
  }
};

struct PairWeights {
  static constexpr int64_t kStep = kPanelStep;
  static constexpr int64_t kStepBytes = 2 * kTileBytes;
  static constexpr int64_t kSliceSteps = 4;  // 16 KiB as floats

  struct Buffer {
    alignas(64) float values[kSliceSteps * kStep * kPanelColumns];
  };
  template <class V>
  static EYRIE_INLINE const float* floats(const char* slice, int64_t steps, Buffer& buffer) {
    float* to = buffer.values;
    for (int64_t pairs = 0; pairs < steps * 16; pairs++, to += 2 * kPanelColumns) {
      for (int64_t column = 0; column < kPanelColumns; column += 16) {
        const bf16* from = reinterpret_cast<const bf16*>(slice) + panel_index_bfloat16(column, pairs * 2);
        V::load_even(from).store(to + column);
        V::load_odd(from).store(to + kPanelColumns + column);
      }
    }
    return buffer.values;
  }
};

struct CodeWeights {
  static constexpr int64_t kStep = kPanelStep;
  static constexpr int64_t kStepBytes = 2 * kCodeTileBytes;
  static constexpr int64_t kSliceSteps = PairWeights::kSliceSteps;

  struct Buffer {
    ExpandedSlice pairs;
    PairWeights::Buffer floats;
  };
  template <class V>
  static EYRIE_INLINE const float* floats(const char* slice, int64_t steps, Buffer& buffer) {
    expand_codes<V>(slice, steps, buffer.pairs);
    return PairWeights::floats<V>(reinterpret_cast<const char*>(buffer.pairs.values), steps, buffer.floats);
  }
};

constexpr int64_t kFetchEvery = 8;  // values of k between two prefetches; a divisor of longer steps

/// One block of x, of which the first `rows` count. kRows rows (a divisor of 8) times kVectors * 16 columns at a time: as many
/// sums as the level has registers for. `length` values of k, those of whole steps of the weights.
template <class V, int kRows, int kVectors, int64_t kStep>
EYRIE_INLINE void multiply_block(const float* x, int64_t rows, const float* weights, int64_t length, bool first, float* block_sums,
                                 PrefetchLines& next) {
  if constexpr (kRows > 1)
    if (rows <= kRows / 2) return multiply_block<V, kRows / 2, kVectors, kStep>(x, rows, weights, length, first, block_sums, next);
  // The sums of the next block, which this one writes past or has not seen for a whole slice.
  PrefetchLines next_sums(block_sums + kFloatBlock * kPanelColumns, kFloatBlock * kPanelColumns * 4, length / kFetchEvery + 1);
  for (int64_t row = 0; row < rows; row += kRows) {
    for (int64_t column = 0; column < kPanelColumns; column += 16 * kVectors) {
      float* sums = block_sums + row * kPanelColumns + column;
      V acc[kRows][kVectors];
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) acc[r][v] = first ? V::zero() : V::load(sums + r * kPanelColumns + v * 16);
      const float* w = weights + column;
      const auto add = [&](int64_t first_k, int64_t count) __attribute__((always_inline)) {
        const float* values = x + float_block_index<kStep>(row, first_k);
#pragma GCC unroll 8
        for (int64_t k = 0; k < count; k++, w += kPanelColumns) {
          V lanes[kVectors];
          for (int v = 0; v < kVectors; ++v) lanes[v] = V::load(w + v * 16);
          for (int r = 0; r < kRows; ++r) {
            const V value = V::set(values[float_block_index<kStep>(r, k)]);
            for (int v = 0; v < kVectors; ++v) acc[r][v] = fma(value, lanes[v], acc[r][v]);
          }
        }
      };
      int64_t k = 0;
      for (; k + kFetchEvery <= length; k += kFetchEvery) {
        if (row == 0 && column == 0) {
          next.step<kToSecondLevel>();
          next_sums.step<kToFirstLevel>();
        }
        add(k, kFetchEvery);
      }
      add(k, length - k);
      for (int r = 0; r < kRows; ++r)
        for (int v = 0; v < kVectors; ++v) acc[r][v].store(sums + r * kPanelColumns + v * 16);
    }
  }
}

template <class V, int kRows, int kVectors, class Weights>
void multiply_floats(const MultiplyCall& call) {
  constexpr int64_t kXStepBytes = Weights::kStep * kFloatBlock * 4;
  const int64_t blocks = (call.rows + kFloatBlock - 1) / kFloatBlock;
  typename Weights::Buffer buffer;
  for (int64_t i = 0; i < call.panels; ++i) {
    const char* panel = call.panel_at(i);
    PrefetchLines next(blocks == 1 ? panel + kStreamAhead : call.after(i), call.steps * Weights::kStepBytes,
                       (blocks * call.steps * Weights::kStep + kFetchEvery - 1) / kFetchEvery);
    for (int64_t step = 0; step < call.steps; step += Weights::kSliceSteps) {
      const int64_t left = call.steps - step, steps = left < Weights::kSliceSteps ? left : Weights::kSliceSteps;
      const float* weights = Weights::template floats<V>(panel + step * Weights::kStepBytes, steps, buffer);
      const char* x = static_cast<const char*>(call.x) + step * kXStepBytes;
      float* sums = call.sums_at(i);
      for (int64_t row = 0; row < call.rows; row += kFloatBlock, x += call.x_block_bytes, sums += kFloatBlock * kPanelColumns) {
        const int64_t used = call.rows - row < kFloatBlock ? call.rows - row : kFloatBlock;
        multiply_block<V, kRows, kVectors, Weights::kStep>(reinterpret_cast<const float*>(x), used, weights, steps * Weights::kStep,
                                                           call.first && step == 0, sums, next);
      }
    }
  }
}

template <class V, int kRows, int kVectors, class Weights, class X>
constexpr ProductKernel float_product() {
  return {.row_block = kFloatBlock,
          .k_step = Weights::kStep,
          .x_step_bytes = Weights::kStep * kFloatBlock * 4,
          .panel_step_bytes = Weights::kStepBytes,
          .range_steps = Weights::kSliceSteps,
          .two_block_steps = Weights::kSliceSteps,
          .streams = true,
          .pack_x = pack_float_blocks<V, X, Weights::kStep>,
          .multiply = multiply_floats<V, kRows, kVectors, Weights>,
          .enter = nullptr,
          .leave = nullptr};
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel float32_product() {
  return float_product<V, kRows, kVectors, FloatWeights, float>();
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel bfloat16_product() {
  return float_product<V, kRows, kVectors, PairWeights, bf16>();
}

template <class V, int kRows, int kVectors>
constexpr ProductKernel int8_product() {
  return float_product<V, kRows, kVectors, CodeWeights, bf16>();
}

}  // namespace eyrie
