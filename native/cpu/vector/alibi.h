#pragma once
// The position bias of the rw checkpoints. Their reference computes it in bfloat16, where positions above 256 are
// inexact; a float32 form diverges on long prompts, so the roundings are part of the definition.

#include <cstdint>
#include <vector>

#include "numbers/bfloat16.h"

namespace eyrie {

/// Slope of each of `heads` query heads, rounded to bfloat16: powers of 2^(-8/n) for the largest power of two
/// n <= heads, then odd powers of 2^(-4/n) for the rest.
std::vector<float> alibi_slopes(int64_t heads);

/// Bias of the key at absolute `position`, to be added to q.k before the scale 1/sqrt(head_dim):
/// bf16(slope * bf16(position)).
EYRIE_INLINE float alibi_bias(float slope, int64_t position) {
  return to_float(to_bf16(slope * to_float(to_bf16(static_cast<float>(position)))));
}

}  // namespace eyrie
