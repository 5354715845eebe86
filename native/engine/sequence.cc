#include "engine/sequence.h"

#include <algorithm>
#include <cstddef>
#include <limits>
#include <type_traits>
#include <utility>

namespace eyrie {

namespace {

SamplingParams sampling_params(const Request& request, const EngineOptions& options) {
  SamplingParams params;
  params.temperature = request.temperature;
  params.top_k = static_cast<int32_t>(std::min<uint32_t>(request.top_k, options.config.vocab_size));
  params.top_p = request.top_p;
  params.min_p = request.min_p;
  params.repetition_penalty = request.repetition_penalty;
  params.frequency_penalty = request.frequency_penalty;
  params.presence_penalty = request.presence_penalty;
  // With a grammar, allowed_tokens() sees to it.
  params.min_tokens = request.grammar ? 0 : request.min_tokens;
  for (size_t i = 0; i < request.logit_bias_ids.size(); ++i) {
    params.logit_bias.push_back({static_cast<int32_t>(request.logit_bias_ids[i]), request.logit_bias_values[i]});
  }
  if (!request.ignore_eos) params.stop_ids.assign(options.stop_token_ids.begin(), options.stop_token_ids.end());
  params.seed = request.seed;
  params.request = request.sequence_key;
  return params;
}

}  // namespace

Sequence::Sequence(uint64_t sequence_id, Request sequence_request, const EngineOptions& options, bool is_watched)
    : id(sequence_id), request(std::move(sequence_request)), watched(is_watched), sampling(sampling_params(request, options)) {}

void Sequence::begin(const EngineOptions& options) {
  // Few outputs reach a large max_tokens: from here on, buffers double when they have to.
  constexpr uint32_t kTokensReserved = 256;
  // Four bytes a token is what English text takes.
  constexpr size_t kBytesPerToken = 4;
  const uint32_t tokens = std::min(request.max_tokens, kTokensReserved);
  result.token_ids.reserve(tokens);
  if (!options.token_byte_ends.empty()) result.text_bytes.reserve(tokens * kBytesPerToken);
  if (request.logprobs >= 0) {
    result.logprobs.reserve(tokens);
    result.top_ids.reserve(size_t{tokens} * top());
    result.top_logprobs.reserve(size_t{tokens} * top());
  }
  if (request.prompt_logprobs) {
    result.prompt_logprobs.assign(prompt_tokens(), std::numeric_limits<float>::quiet_NaN());
    result.prompt_top_ids.assign(size_t{prompt_tokens()} * top(), 0);
    result.prompt_top_logprobs.assign(size_t{prompt_tokens()} * top(), std::numeric_limits<float>::quiet_NaN());
  }
}

TokenNews Sequence::take_news() {
  const auto since = [](const auto& all, size_t first) {
    return std::decay_t<decltype(all)>(all.begin() + static_cast<std::ptrdiff_t>(std::min(first, all.size())), all.end());
  };
  const size_t first_top = size_t{told_} * top();
  TokenNews news{id, since(result.token_ids, told_), since(result.logprobs, told_), since(result.top_ids, first_top),
                 since(result.top_logprobs, first_top)};
  told_ = generated();
  return news;
}

}  // namespace eyrie
