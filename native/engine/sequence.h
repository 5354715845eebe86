#pragma once
// A request on its way through the engine: what it asked for, how far it is, what it has so far.

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/engine_options.h"
#include "engine/outcome.h"
#include "engine/request.h"
#include "engine/token_news.h"
#include "sampling/sampling_params.h"

namespace eyrie {

struct Sequence {
  /// `request` must have passed check_request(). `watched`: its tokens are told as they come.
  Sequence(uint64_t id, Request request, const EngineOptions& options, bool watched);

  /// It enters a slot: room for its results, which tens of thousands that wait do without.
  void begin(const EngineOptions& options);

  uint32_t prompt_tokens() const { return static_cast<uint32_t>(request.prompt_ids.size()); }
  uint32_t generated() const { return static_cast<uint32_t>(result.token_ids.size()); }
  /// Best tokens reported beside the chosen one.
  uint32_t top() const { return request.logprobs > 0 ? static_cast<uint32_t>(request.logprobs) : 0; }
  /// The tokens since the last call.
  TokenNews take_news();

  const uint64_t id;
  const Request request;
  const bool watched;
  SamplingParams sampling;
  Result result;
  /// The way through the request's grammar, from the first token on.
  std::unique_ptr<GrammarMatcher> matcher;
  std::optional<Failure> failure;
  bool ended = false;

 private:
  uint32_t told_ = 0;
};

}  // namespace eyrie
