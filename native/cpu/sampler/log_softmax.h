#pragma once
#include <cstdint>

#include "cpu/compute.h"
#include "sampling/sampling_params.h"

namespace eyrie {

/// Natural-log normaliser and best entries of one row of raw logits.
struct TopLogprobs {
  float logsumexp;               ///< log p(t) = logits[t] - logsumexp
  int count;                     ///< entries filled below: fewer than asked for where fewer logits are finite
  int32_t ids[kTopLogprobsMax];  ///< descending logit; equal logits: lowest id first
  float logprobs[kTopLogprobsMax];
};

/// One row, logits[vocab] float32, top in [0, kTopLogprobsMax]. The sum is one of masses: the same bytes on every ISA
/// level and device. Throws numeric_error if a logit is NaN or none is finite.
TopLogprobs top_logprobs(const Compute& compute, const float* logits, int64_t vocab, int top);

}  // namespace eyrie
