#include "engine/token_step.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "engine/draw_failure.h"
#include "engine/stop_matcher.h"

namespace eyrie {

namespace {

std::string_view bytes_of(uint32_t token, const EngineOptions& options) {
  if (options.token_byte_ends.empty()) return {};
  const uint32_t begin = token == 0 ? 0 : options.token_byte_ends[token - 1];
  return std::string_view(options.token_bytes).substr(begin, options.token_byte_ends[token] - begin);
}

void append_logprobs(Sequence& sequence, const HeadResult& drawn) {
  Result& result = sequence.result;
  result.logprobs.push_back(drawn.logprob);
  for (uint32_t i = 0; i < sequence.top(); ++i) {
    const bool filled = i < drawn.top_ids.size();
    result.top_ids.push_back(filled ? static_cast<uint32_t>(drawn.top_ids[i]) : 0);
    result.top_logprobs.push_back(filled ? drawn.top_logprobs[i] : -std::numeric_limits<float>::infinity());
  }
}

/// With a grammar, the end token is drawn only where it must count.
bool is_end_token(const Request& request, uint32_t token, const EngineOptions& options) {
  if (request.grammar) return token == request.grammar->end_token_id();
  const std::vector<uint32_t>& ids = options.stop_token_ids;
  return !request.ignore_eos && std::find(ids.begin(), ids.end(), token) != ids.end();
}

void end(Sequence& sequence, FinishReason reason) {
  sequence.ended = true;
  sequence.result.finish_reason = reason;
}

}  // namespace

void take_token(Sequence& sequence, const HeadResult& drawn, const EngineOptions& options) {
  if (drawn.error != DrawError::none) {
    sequence.failure = draw_failure(drawn.error);
    return;
  }
  const auto token = static_cast<uint32_t>(drawn.token);
  sequence.result.token_ids.push_back(token);
  if (sequence.request.logprobs >= 0) append_logprobs(sequence, drawn);

  if (is_end_token(sequence.request, token, options)) return end(sequence, FinishReason::stop);
  const bool complete = sequence.matcher && sequence.matcher->accept(token);
  // Like end tokens, stop strings count only after min_tokens tokens.
  const bool may_stop = sequence.generated() > sequence.request.min_tokens;
  const std::span<const std::string> stops = may_stop ? std::span(sequence.request.stop) : std::span<const std::string>();
  if (append_until_stop(sequence.result.text_bytes, bytes_of(token, options), stops)) {
    return end(sequence, FinishReason::stop);
  }
  if (complete) return end(sequence, FinishReason::stop);
  if (sequence.generated() == sequence.request.max_tokens) end(sequence, FinishReason::length);
}

void take_score(Sequence& sequence, uint32_t position, const HeadResult& scored) {
  if (scored.error != DrawError::none) {
    sequence.failure = draw_failure(scored.error);
    return;
  }
  const size_t at = position + 1;
  sequence.result.prompt_logprobs[at] = scored.logprob;
  for (size_t i = 0; i < sequence.top() && i < scored.top_ids.size(); ++i) {
    sequence.result.prompt_top_ids[at * sequence.top() + i] = static_cast<uint32_t>(scored.top_ids[i]);
    sequence.result.prompt_top_logprobs[at * sequence.top() + i] = scored.top_logprobs[i];
  }
}

}  // namespace eyrie
