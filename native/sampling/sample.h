#pragma once
// From logits to the next token. The order of the steps is part of the public contract:
//   allowed tokens -> logit_bias -> min_tokens mask -> repetition -> frequency -> presence -> greedy if temperature < 1e-5
//   -> temperature -> top_k -> top_p -> min_p -> softmax -> inverse CDF in ascending id order.
// Every step runs in a fixed order of ids, so the token depends on the logits, the parameters and the draw alone.

#include <cstdint>
#include <vector>

#include "cpu/compute.h"

namespace eyrie {

struct LogitBias {
  int32_t id;
  float bias;
};

/// Neutral values switch a step off; the defaults are all neutral. Ranges are checked by check_sampling_params().
struct SamplingParams {
  float temperature = 1.0f;         ///< [0, inf); below 1e-5 the best token is taken, lowest id first
  int32_t top_k = 0;                ///< 0 = off; exactly k are kept, equal logits: lowest ids first
  float top_p = 1.0f;               ///< (0, 1]; the smallest set whose mass reaches p, the crossing token included
  float min_p = 0.0f;               ///< [0, 1]; keeps tokens with p >= min_p * max p
  float repetition_penalty = 1.0f;  ///< (0, inf); z < 0 ? z * r : z / r, once per distinct id of prompt and output
  float frequency_penalty = 0.0f;   ///< z -= f * count in the output
  float presence_penalty = 0.0f;    ///< z -= p if in the output
  int64_t min_tokens = 0;           ///< stop ids cannot be drawn before this many output tokens
  std::vector<LogitBias> logit_bias;
  std::vector<int32_t> stop_ids;  ///< the ids that min_tokens masks
  uint64_t seed = 0;
  uint64_t request = 0;  ///< tells apart sequences that share a seed (the n choices of a line)
};

/// Throws invalid_request naming the field, the value seen and the range; ids are checked against `vocab`.
void check_sampling_params(const SamplingParams& params, int64_t vocab);

/// Which tokens a sequence has seen: what the penalties need. Cost is per distinct id, not per vocabulary entry.
class TokenHistory {
 public:
  explicit TokenHistory(int64_t vocab) : entries_(vocab) {}
  void add_prompt(int32_t id);
  void add_output(int32_t id);
  void clear();

  int64_t output_tokens() const { return output_tokens_; }
  const std::vector<int32_t>& distinct() const { return distinct_; }
  int32_t output_count(int32_t id) const { return entries_[id].output; }

 private:
  struct Entry {
    bool seen = false;
    int32_t output = 0;
  };
  void see(int32_t id);
  std::vector<Entry> entries_;  // [vocab]
  std::vector<int32_t> distinct_;
  int64_t output_tokens_ = 0;
};

/// Memory that sample() keeps between calls.
struct SampleScratch {
  std::vector<int32_t> ids;    // the kept tokens, ascending
  std::vector<float> logits;   // theirs
  std::vector<float> weights;  // e^(logit - best), of the kept tokens or of the whole vocabulary
  std::vector<int32_t> edge;   // those among which the last place is decided
};

/// Draws one token. logits: one row [vocab] float32, overwritten. `allowed`: null, or a bitmap of vocab bits (bit
/// id % 32 of word id / 32) from a grammar. The draw uses philox_uniform(seed, request, history.output_tokens()).
/// `scratch` is one per thread. Throws numeric_error if a logit is NaN, invalid_request if no token is allowed.
int32_t sample(const Compute& compute, float* logits, int64_t vocab, const SamplingParams& params, const TokenHistory& history,
               const uint32_t* allowed, SampleScratch& scratch);

/// Best token of one row, lowest id on ties. Throws numeric_error if a logit is NaN or none is finite.
int32_t greedy(const Compute& compute, const float* logits, int64_t vocab);

}  // namespace eyrie
