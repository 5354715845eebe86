#pragma once
// How a sequence's tokens are drawn. The order of the steps is part of the public contract:
//   allowed tokens -> logit_bias -> min_tokens mask -> repetition -> frequency -> presence -> greedy if temperature < 1e-5
//   -> temperature -> top_k -> top_p -> min_p -> softmax -> inverse CDF in ascending id order.

#include <cstdint>
#include <vector>

namespace eyrie {

/// Best tokens reported beside a chosen one, at most.
inline constexpr int kTopLogprobsMax = 20;

struct LogitBias {
  int32_t id;
  float bias;
};

/// Neutral values switch a step off; the defaults are all neutral. Ranges are checked by check_request().
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

  bool has_penalties() const { return repetition_penalty != 1.0f || frequency_penalty != 0.0f || presence_penalty != 0.0f; }
};

}  // namespace eyrie
