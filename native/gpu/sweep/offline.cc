#include "gpu/sweep/offline.h"

#include <chrono>

#include "engine/check_request.h"
#include "error.h"
#include "gpu/random_values.h"
#include "gpu/run/open_runner.h"

namespace eyrie::gpu {

OfflineTimes measure_offline(std::unique_ptr<Backend> backend, const EngineOptions& options, const OfflinePlan& plan) {
  const auto opened = runner_over(options, std::move(backend));
  for (uint32_t line = 0; line < plan.lines; ++line) {
    Request request;
    for (uint32_t i = 0; i < plan.prompt_tokens; ++i) {
      request.prompt_ids.push_back(mixed((uint64_t{line} << 32 | i) + plan.seed * 0x9e3779b97f4a7c15ull) % options.config.vocab_size);
    }
    request.max_tokens = plan.output_tokens;
    request.ignore_eos = true;
    request.seed = plan.seed;
    request.sequence_key = line;
    check_request(request, opened->options, opened->runner->backend().info());
    opened->runner->add(std::make_unique<Sequence>(line, std::move(request), opened->options, false));
  }
  OfflineTimes times;
  const auto started = std::chrono::steady_clock::now();
  run_all(*opened->runner, [&](const Outcome& outcome) {
    if (outcome.failure) throw Error(outcome.failure->code, "line " + std::to_string(outcome.id) + ": " + outcome.failure->message);
    times.output_tokens += outcome.result.token_ids.size();
  });
  times.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return times;
}

}  // namespace eyrie::gpu
