#pragma once
// Lines through the whole engine: scheduler, prompts packed beside decode rows, sampling, results.

#include <cstdint>
#include <memory>

#include "engine/backend.h"
#include "engine/engine_options.h"

namespace eyrie::gpu {

struct OfflinePlan {
  uint32_t lines = 0;
  uint32_t prompt_tokens = 0;
  uint32_t output_tokens = 0;
  uint64_t seed = 0;
};

struct OfflineTimes {
  double seconds = 0;
  uint64_t output_tokens = 0;
};

/// Random prompts, every line generates to its end. `options`: those that the backend was opened with.
OfflineTimes measure_offline(std::unique_ptr<Backend> backend, const EngineOptions& options, const OfflinePlan& plan);

}  // namespace eyrie::gpu
