#pragma once
// One sequence to generate and what came of it. Fields mirror NativeRequest and NativeResult of native-types.ts, in their order.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "engine/grammar.h"

namespace eyrie {

struct Request {
  std::vector<uint32_t> prompt_ids;
  uint32_t max_tokens = 0;
  uint32_t min_tokens = 0;
  bool ignore_eos = false;
  float temperature = 1;
  float top_p = 1;
  uint32_t top_k = 0;
  float min_p = 0;
  float repetition_penalty = 1;
  float frequency_penalty = 0;
  float presence_penalty = 0;
  uint64_t seed = 0;
  uint64_t sequence_key = 0;
  std::vector<std::string> stop;
  std::vector<uint32_t> logit_bias_ids;
  std::vector<float> logit_bias_values;
  /// -1 = none, else how many best tokens are reported beside the chosen one.
  int32_t logprobs = -1;
  bool prompt_logprobs = false;
  /// Somebody waits for it: it takes the next free slot before all requests that are not urgent. Its tokens are the same.
  bool urgent = false;
  /// Requests of one group are wanted together: a group is not kept waiting for ever by those that came later.
  uint32_t group = 0;
  /// What the text must satisfy; null = anything. Of the same vocabulary as the model.
  std::shared_ptr<const Grammar> grammar;
};

enum class FinishReason : uint8_t { stop, length, cancelled };

/// k = max(logprobs, 0), n = token_ids.size(), p = prompt_ids.size(). Vectors that were not asked for stay empty.
struct Result {
  std::vector<uint32_t> token_ids;
  std::string text_bytes;
  FinishReason finish_reason = FinishReason::length;
  std::vector<float> logprobs;             // [n]
  std::vector<uint32_t> top_ids;           // [n * k]
  std::vector<float> top_logprobs;         // [n * k]
  std::vector<float> prompt_logprobs;      // [p]
  std::vector<uint32_t> prompt_top_ids;    // [p * k]
  std::vector<float> prompt_top_logprobs;  // [p * k]
};

}  // namespace eyrie
