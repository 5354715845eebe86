#include "gpu/run/open_runner.h"

#include <chrono>

#include "error.h"
#include "model/load_falcon.h"

namespace eyrie::gpu {

std::unique_ptr<OpenRunner> open_runner(RunnerOptions options) {
  auto opened = std::make_unique<OpenRunner>();
  opened->options = std::move(options.engine);
  opened->pool = std::make_unique<ThreadPool>(static_cast<int>(opened->options.threads));
  opened->options.threads = static_cast<uint32_t>(opened->pool->size());
  check_engine_options(opened->options);
  if (options.device != "cpu") throw Error(ErrorCode::unsupported_device, "'run' on a card is not built yet; take --device cpu");

  const auto started = std::chrono::steady_clock::now();
  const Compute compute = make_compute(*opened->pool, resolve_isa(opened->options.isa));
  const DType dtype = opened->options.dtype == "float32" ? DType::float32 : opened->options.dtype == "int8" ? DType::int8 : DType::bfloat16;
  const std::atomic<bool> cancelled{false};
  const LoadProgress progress = [&](uint64_t, uint64_t total) { opened->weight_bytes = total; };
  auto weights = load_falcon(opened->options.model_directory, opened->options.config, dtype, compute, progress, cancelled);
  opened->runner = std::make_unique<BatchRunner>(opened->options, std::move(weights), dtype, compute);
  opened->load_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return opened;
}

}  // namespace eyrie::gpu
