#pragma once
// From logits to the next token, by the steps of sampling/sampling_params.h. What is kept and drawn is decided in integers
// (sampling/masses.h), so the token depends on the logits, the parameters and the draw alone: not on the level, nor on the device.

#include <cstdint>
#include <vector>

#include "cpu/compute.h"
#include "cpu/sampler/token_history.h"
#include "sampling/sampling_params.h"

namespace eyrie {

/// Memory that sample() keeps between calls.
struct SampleScratch {
  std::vector<int32_t> ids;      // the kept tokens, ascending
  std::vector<float> logits;     // theirs
  std::vector<uint64_t> masses;  // theirs; or the sums of blocks of the vocabulary
  std::vector<float> weights;    // e^(logit - best), before they are masses
  std::vector<int32_t> edge;     // those among which the last place is decided
};

/// Draws one token. logits: one row [vocab] float32, overwritten. `allowed`: null, or a bitmap of vocab bits (bit
/// id % 32 of word id / 32) from a grammar. The draw uses philox_bits(seed, request, history.output_tokens()). The parameters are those
/// of a checked request. `scratch` is one per thread. Throws numeric_error if a logit is NaN, invalid_request if no token is allowed.
int32_t sample(const Compute& compute, float* logits, int64_t vocab, const SamplingParams& params, const TokenHistory& history,
               const uint32_t* allowed, SampleScratch& scratch);

/// Best token of one row, lowest id on ties. Throws numeric_error if a logit is NaN or none is finite.
int32_t greedy(const Compute& compute, const float* logits, int64_t vocab);

}  // namespace eyrie
