#include "gpu/run/open_runner.h"

#include <atomic>
#include <chrono>

#include "cuda/open_cuda.h"
#include "engine/open_backend.h"
#include "error.h"

namespace eyrie::gpu {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

class TimedLoad final : public WeightLoad {
 public:
  explicit TimedLoad(OpenRunner& opened) : opened_(opened) {}
  void load(WeightSink& sink) override {
    const auto started = Clock::now();
    const std::atomic<bool> never{false};
    const LoadProgress progress = [&](uint64_t, uint64_t total) { opened_.file_bytes = total; };
    load_falcon(opened_.options.model_directory, opened_.options.config, sink, progress, never);
    opened_.load_seconds = seconds_since(started);
  }

 private:
  OpenRunner& opened_;
};

std::unique_ptr<Backend> open_on_cards(OpenRunner& opened, uint32_t ordinal, uint32_t cards) {
  CudaOpenOptions cuda;
  cuda.config = opened.options.config;
  cuda.dtype = opened.options.dtype;
  cuda.slots = opened.options.slots;
  cuda.slot_tokens = opened.options.slot_tokens;
  cuda.rows_max = pass_rows_max(opened.options.slots, opened.options.prefill_tokens);
  cuda.first_card = ordinal;
  cuda.cards = cards;
  cuda.stop_token_ids = opened.options.stop_token_ids;
  TimedLoad load(opened);
  CudaStatus status;
  std::unique_ptr<Backend> backend(eyrie_open_cuda(&cuda, &load, &status));
  if (status.failed) throw Error(status.code, status.message);
  return backend;
}

std::unique_ptr<Backend> open_on_cpu(OpenRunner& opened) {
  const auto started = Clock::now();
  const std::atomic<bool> never{false};
  const LoadProgress progress = [&](uint64_t, uint64_t total) { opened.file_bytes = total; };
  OpenedBackend backend = open_backend(opened.options, *opened.pool, progress, never);
  opened.load_seconds = seconds_since(started);
  return std::move(backend.backend);
}

std::unique_ptr<OpenRunner> with_pool(EngineOptions options) {
  auto opened = std::make_unique<OpenRunner>();
  opened->pool = std::make_unique<ThreadPool>(static_cast<int>(options.threads));
  options.threads = static_cast<uint32_t>(opened->pool->size());
  options.cuda.slots = options.slots;
  options.cuda.prefill_tokens = options.prefill_tokens;
  check_engine_options(options);
  opened->options = std::move(options);
  return opened;
}

}  // namespace

DType dtype_by_name(const std::string& name) {
  for (const DType type : {DType::float32, DType::int8, DType::fp8}) {
    if (name == dtype_name(type)) return type;
  }
  return DType::bfloat16;
}

std::unique_ptr<OpenRunner> open_runner(EngineOptions options, uint32_t ordinal, uint32_t cards) {
  auto opened = with_pool(std::move(options));
  const bool on_cards = opened->options.device == DeviceChoice::cuda;
  std::unique_ptr<Backend> backend = on_cards ? open_on_cards(*opened, ordinal, cards) : open_on_cpu(*opened);
  opened->runner = std::make_unique<BatchRunner>(opened->options, std::move(backend), *opened->pool);
  return opened;
}

std::unique_ptr<OpenRunner> runner_over(EngineOptions options, std::unique_ptr<Backend> backend) {
  auto opened = with_pool(std::move(options));
  opened->runner = std::make_unique<BatchRunner>(opened->options, std::move(backend), *opened->pool);
  return opened;
}

void run_all(BatchRunner& runner, const std::function<void(const Outcome&)>& on_outcome) {
  std::vector<Outcome> outcomes;
  std::vector<TokenNews> news;
  while (runner.has_work()) {
    runner.step(outcomes, news);
    for (const Outcome& outcome : outcomes) on_outcome(outcome);
    outcomes.clear();
    news.clear();
  }
}

}  // namespace eyrie::gpu
