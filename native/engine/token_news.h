#pragma once
// What a sequence whose owner wants to watch it has generated since the last news of it.

#include <cstdint>
#include <vector>

namespace eyrie {

/// News come only from sequences that go on: the tokens that end one come with its outcome, which has all tokens once more. So no
/// news ever hold what completed a stop string. k = max(logprobs, 0); vectors that were not asked for stay empty.
struct TokenNews {
  uint64_t id = 0;
  std::vector<uint32_t> token_ids;  // [n]
  std::vector<float> logprobs;      // [n]
  std::vector<uint32_t> top_ids;    // [n * k]
  std::vector<float> top_logprobs;  // [n * k]
};

}  // namespace eyrie
