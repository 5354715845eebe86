#include "engine/token_step.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "cpu/vector/vector_kernels.h"
#include "engine/grammar_step.h"
#include "engine/stop_matcher.h"
#include "error.h"
#include "sampling/log_softmax.h"

namespace eyrie {

namespace {

std::string_view bytes_of(uint32_t token, const EngineOptions& options) {
  if (options.token_byte_ends.empty()) return {};
  const uint32_t begin = token == 0 ? 0 : options.token_byte_ends[token - 1];
  return std::string_view(options.token_bytes).substr(begin, options.token_byte_ends[token] - begin);
}

uint32_t draw(Sequence& sequence, std::span<float> logits, const TokenHistory& history, const uint32_t* allowed, const Compute& compute,
              TokenScratch& scratch) {
  const auto vocab = static_cast<int64_t>(logits.size());
  if (sequence.request.logprobs < 0) {
    return static_cast<uint32_t>(sample(compute, logits.data(), vocab, sequence.sampling, history, allowed, scratch.sample));
  }
  // Log-probabilities are those of the raw logits, which sampling overwrites.
  const TopLogprobs best = top_logprobs(compute, logits.data(), vocab, static_cast<int>(sequence.top()));
  scratch.logits.assign(logits.begin(), logits.end());
  const auto token =
      static_cast<uint32_t>(sample(compute, scratch.logits.data(), vocab, sequence.sampling, history, allowed, scratch.sample));
  Result& result = sequence.result;
  result.logprobs.push_back(logits[token] - best.logsumexp);
  for (uint32_t i = 0; i < sequence.top(); ++i) {
    const bool filled = static_cast<int>(i) < best.count;
    result.top_ids.push_back(filled ? static_cast<uint32_t>(best.ids[i]) : 0);
    result.top_logprobs.push_back(filled ? best.logprobs[i] : -std::numeric_limits<float>::infinity());
  }
  return token;
}

/// A mask would hide a NaN that it covers; the sequence must end the same way with it and without.
void check_logits(std::span<const float> logits, const Compute& compute) {
  if (!compute.vector->max(logits.data(), static_cast<int64_t>(logits.size())).has_nan) return;
  throw Error(ErrorCode::numeric_error, "the logits hold a NaN; the sequence cannot continue");
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

void generate_token(Sequence& sequence, std::span<float> logits, TokenHistory& history, const EngineOptions& options,
                    const Compute& compute, TokenScratch& scratch) {
  const uint32_t* allowed = allowed_tokens(sequence, options, scratch.allowed);
  if (allowed != nullptr) check_logits(logits, compute);
  const uint32_t token = draw(sequence, logits, history, allowed, compute, scratch);
  sequence.result.token_ids.push_back(token);
  history.add_output(static_cast<int32_t>(token));

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

void score_prompt_token(Sequence& sequence, uint32_t position, std::span<const float> logits, const Compute& compute) {
  const uint32_t scored = position + 1;
  if (scored >= sequence.prompt_tokens()) return;
  const TopLogprobs best = top_logprobs(compute, logits.data(), static_cast<int64_t>(logits.size()), static_cast<int>(sequence.top()));
  sequence.result.prompt_logprobs[scored] = logits[sequence.request.prompt_ids[scored]] - best.logsumexp;
  for (uint32_t i = 0; i < sequence.top() && static_cast<int>(i) < best.count; ++i) {
    sequence.result.prompt_top_ids[size_t{scored} * sequence.top() + i] = static_cast<uint32_t>(best.ids[i]);
    sequence.result.prompt_top_logprobs[size_t{scored} * sequence.top() + i] = best.logprobs[i];
  }
}

}  // namespace eyrie
