#pragma once
// Packing x into pair blocks (x_blocks.h): plain copies of 64 bytes.

#include <cstring>

#include "ops/x_blocks.h"

namespace eyrie {

/// A template so that each level compiles its own copy.
template <class Level>
void pack_pair_blocks(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, const float*, void* out) {
  char* to = static_cast<char*>(out);
  const int64_t begin = first_step * kStepBfloat16;
  for (int64_t r = 0; r < kPairBlock; r++) {
    const bf16* from = static_cast<const bf16*>(x) + r * k + begin;
    for (int64_t s = 0; s < steps; s++) {
      char* at = to + (s * kPairBlock + r) * 64;  // rows of both tiles follow each other
      const int64_t left = r < rows ? k - begin - s * kStepBfloat16 : 0;
      if (left >= kStepBfloat16) {
        std::memcpy(at, from + s * kStepBfloat16, 64);
      } else {
        std::memset(at, 0, 64);
        if (left > 0) std::memcpy(at, from + s * kStepBfloat16, static_cast<size_t>(left) * 2);
      }
    }
  }
}

}  // namespace eyrie
