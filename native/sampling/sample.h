#pragma once
// From logits to the next token, by the steps of sampling_params.h. Every step runs in a fixed order of ids, so the token depends on
// the logits, the parameters and the draw alone.

#include <cstdint>
#include <vector>

#include "cpu/compute.h"
#include "sampling/sampling_params.h"

namespace eyrie {

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
