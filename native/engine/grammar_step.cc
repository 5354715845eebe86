#include "engine/grammar_step.h"

#include <algorithm>

namespace eyrie {

const uint32_t* allowed_tokens(Sequence& sequence, const EngineOptions& options, std::vector<uint32_t>& words) {
  const Request& request = sequence.request;
  if (!request.grammar) return nullptr;
  // Not before the first token: a sequence that waits needs none.
  if (!sequence.matcher) sequence.matcher = request.grammar->start();
  words.resize((options.config.vocab_size + 31) / 32);
  sequence.matcher->allowed_tokens(words);

  const auto drop = [&](uint32_t id) { words[id / 32] &= ~(1u << id % 32); };
  const uint32_t end = request.grammar->end_token_id();
  for (const uint32_t id : options.stop_token_ids) {
    if (id != end) drop(id);
  }
  if (request.ignore_eos || sequence.generated() < request.min_tokens) {
    const uint32_t end_word = words[end / 32];
    drop(end);
    const bool goes_on = std::any_of(words.begin(), words.end(), [](uint32_t word) { return word != 0; });
    if (!goes_on) words[end / 32] = end_word;
  }
  return words.data();
}

}  // namespace eyrie
