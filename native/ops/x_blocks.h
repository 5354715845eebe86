#pragma once
// The packed forms of x, each a sequence of steps of k.
//   float blocks   [k][8 rows] float32: eight values to broadcast, one after the other. For float32 weights, and for the
//                  others on levels without dpbf16 (then 32 k are a step).
//   pair blocks    per 32 k: [rows][32 k] bfloat16. 32 rows are two AMX tiles; dpbf16 broadcasts pairs from 8 rows.

#include <cstdint>
#include <cstring>

#include "ops/bfloat16.h"
#include "ops/panel_layout.h"

namespace eyrie {

constexpr int64_t kFloatBlock = 8;
constexpr int64_t kPairBlock = 32;

/// Float blocks from rows of X (float or bf16), kStep values of k to a step. Level: each level compiles its own copy.
template <class Level, class X, int64_t kStep>
void pack_float_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out) {
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

/// Pair blocks of kRows rows: plain copies of 64 bytes.
template <class Level, int64_t kRows = kPairBlock>
void pack_pair_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out) {
  char* to = static_cast<char*>(out);
  const int64_t begin = first_step * kPanelStep;
  for (int64_t r = 0; r < kRows; r++) {
    const bf16* from = static_cast<const bf16*>(x) + r * k + begin;
    for (int64_t s = 0; s < steps; s++) {
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
