#pragma once
// The packed forms of x, each a sequence of steps of k.
//   float blocks   [k / R][8 rows][R] float32, values to broadcast. R is 8, which packs in whole vectors, or the step of the
//                  weights if that is shorter. For float32 weights, and for the others where they are multiplied as floats.
//   pair blocks    per 32 k: [rows][32 k] bfloat16. 32 rows are two AMX tiles; dpbf16 broadcasts pairs from 8 rows.

#include <cstdint>
#include <cstring>

#include "cpu/packing/panel_layout.h"
#include "numbers/bfloat16.h"

namespace eyrie {

constexpr int64_t kFloatBlock = 8;
constexpr int64_t kPairBlock = 32;

template <int64_t kStep>
inline constexpr int64_t kFloatRun = kStep < 8 ? kStep : 8;

/// Where value (row, k) of a float block lies.
template <int64_t kStep>
EYRIE_INLINE constexpr int64_t float_block_index(int64_t row, int64_t k) {
  constexpr int64_t kRun = kFloatRun<kStep>;
  return (k / kRun * kFloatBlock + row) * kRun + k % kRun;
}

/// Float blocks from rows of X (float or bf16). Level: each level compiles its own copy.
template <class Level, class X, int64_t kStep>
void pack_float_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out) {
  const int64_t begin = first_step * kStep, length = steps * kStep, left = k - begin, filled = length < left ? length : left;
  float* to = static_cast<float*>(out);
  const auto value = [](X v) {
    if constexpr (sizeof(X) == 4)
      return v;
    else
      return to_float(v);
  };
  for (int64_t r = 0; r < kFloatBlock; ++r) {
    int64_t i = 0;
    if (r < rows) {
      const X* from = static_cast<const X*>(x) + r * k + begin;
      constexpr int64_t kRun = kFloatRun<kStep>;
      for (; i + kRun <= filled; i += kRun)
        for (int64_t j = 0; j < kRun; ++j) to[float_block_index<kStep>(r, i) + j] = value(from[i + j]);
      for (; i < filled; ++i) to[float_block_index<kStep>(r, i)] = value(from[i]);
    }
    for (; i < length; ++i) to[float_block_index<kStep>(r, i)] = 0.0f;
  }
}

/// Pair blocks of kRows rows: plain copies of 64 bytes.
template <class Level, int64_t kRows = kPairBlock>
void pack_pair_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out) {
  char* to = static_cast<char*>(out);
  const int64_t begin = first_step * kPanelStep;
  for (int64_t r = 0; r < kRows; ++r) {
    const bf16* from = static_cast<const bf16*>(x) + r * k + begin;
    for (int64_t s = 0; s < steps; ++s) {
      char* at = to + (s * kRows + r) * 64;
      const int64_t left = r < rows ? k - begin - s * kPanelStep : 0;
      if (left >= kPanelStep) {
        std::memcpy(at, from + s * kPanelStep, 64);
      } else {
        std::memset(at, 0, 64);
        if (left > 0) std::memcpy(at, from + s * kPanelStep, static_cast<size_t>(left) * 2);
      }
    }
  }
}

}  // namespace eyrie
