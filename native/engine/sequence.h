#pragma once
// A request on its way through the engine: what it asked for, how far it is, what it has so far.

#include <cstdint>
#include <memory>
#include <optional>

#include "engine/engine_options.h"
#include "engine/outcome.h"
#include "engine/request.h"
#include "ops/sample.h"

namespace eyrie {

struct Sequence {
  /// `request` must have passed check_request(). All buffers that grow per token are reserved here.
  Sequence(uint64_t id, Request request, const EngineOptions& options);

  uint32_t prompt_tokens() const { return static_cast<uint32_t>(request.prompt_ids.size()); }
  uint32_t generated() const { return static_cast<uint32_t>(result.token_ids.size()); }
  /// Best tokens reported beside the chosen one.
  uint32_t top() const { return request.logprobs > 0 ? static_cast<uint32_t>(request.logprobs) : 0; }
  bool has_penalties() const;

  const uint64_t id;
  const Request request;
  SamplingParams sampling;
  Result result;
  std::optional<Failure> failure;
  bool ended = false;
};

}  // namespace eyrie
