#include "engine/engine.h"

#include <utility>

#include "engine/check_request.h"
#include "engine/open_backend.h"
#include "error.h"
#include "threads/cpu_set.h"

namespace eyrie {

namespace {

/// Pinning pays when the engine has the CPUs to itself; with one thread, or more threads than CPUs, it only gets in the way.
bool should_pin(uint32_t threads) { return threads > 1 && threads <= allowed_cpus().size(); }

}  // namespace

Engine::Engine(EngineOptions options, EngineEvents events) : options_(std::move(options)), events_(std::move(events)) {}

std::unique_ptr<Engine> Engine::open(EngineOptions options, EngineEvents events, const LoadProgress& on_progress,
                                     const std::atomic<bool>& cancelled) {
  check_engine_options(options);
  auto pool = std::make_unique<ThreadPool>(static_cast<int>(options.threads), should_pin(options.threads));
  OpenedBackend opened = open_backend(options, *pool, on_progress, cancelled);
  if (opened.backend->info().device == DeviceKind::cuda) {
    options.slots = options.cuda.slots;
    options.prefill_tokens = options.cuda.prefill_tokens;
  }
  std::unique_ptr<Engine> engine(new Engine(std::move(options), std::move(events)));
  engine->info_ = {opened.backend->info(), engine->options_.slots, engine->options_.prefill_tokens, std::move(opened.why_cpu)};
  engine->pool_ = std::move(pool);
  engine->runner_ = std::make_unique<BatchRunner>(engine->options_, std::move(opened.backend), *engine->pool_);
  engine->thread_ = std::thread([raw = engine.get()] { raw->run(); });
  return engine;
}

Engine::~Engine() {
  request_close();
  if (thread_.joinable()) thread_.join();
}

void Engine::submit(uint64_t id, Request request, bool watched) {
  check_request(request, options_, info_.backend);
  auto sequence = std::make_unique<Sequence>(id, std::move(request), options_, watched);
  {
    const std::lock_guard lock(mutex_);
    if (closing_) throw Error(ErrorCode::engine_closed, "the engine is closed; open a new one");
    if (live_ >= kRequestsMax) {
      throw Error(ErrorCode::out_of_memory,
                  "the engine already holds " + std::to_string(kRequestsMax) + " requests; wait until some have ended");
    }
    ++live_;
    arrivals_.push_back(std::move(sequence));
  }
  wake_.notify_one();
}

void Engine::cancel(uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    cancels_.push_back(id);
  }
  wake_.notify_one();
}

EngineReport Engine::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void Engine::request_close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  wake_.notify_one();
}

void Engine::run() {
  if (should_pin(options_.threads)) pool_->pin_caller();
  Failure failure{ErrorCode::engine_closed, "the engine was closed before this request ended"};
  std::vector<Outcome> outcomes;
  std::vector<TokenNews> news;
  try {
    while (take_mail()) {
      runner_->step(outcomes, news);
      deliver(outcomes, news);
    }
  } catch (...) {
    failure = current_failure();
  }
  end_all(failure, outcomes);
  runner_.reset();
  pool_.reset();
  events_.on_closed();
}

/// Waits for work and hands arrivals and cancellations to the runner; false when the engine is to close.
bool Engine::take_mail() {
  std::vector<std::unique_ptr<Sequence>> arrivals;
  std::vector<uint64_t> cancels;
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return closing_ || runner_->has_work() || !arrivals_.empty(); });
    if (closing_) return false;
    arrivals.swap(arrivals_);
    cancels.swap(cancels_);
  }
  for (auto& sequence : arrivals) runner_->add(std::move(sequence));
  for (const uint64_t id : cancels) runner_->cancel(id);
  return true;
}

void Engine::deliver(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news) {
  {
    const std::lock_guard lock(mutex_);
    report_ = runner_->report();
    live_ -= outcomes.size();
  }
  if (!news.empty()) events_.on_news(std::move(news));
  if (!outcomes.empty()) events_.on_outcomes(std::move(outcomes));
  news.clear();
  outcomes.clear();
}

/// `outcomes` may hold some that the pass which threw had already found.
void Engine::end_all(const Failure& failure, std::vector<Outcome>& outcomes) {
  runner_->fail_all(failure, outcomes);
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (const auto& sequence : arrivals_) outcomes.push_back({sequence->id, {}, failure});
    arrivals_.clear();
    live_ = 0;
  }
  if (!outcomes.empty()) events_.on_outcomes(std::move(outcomes));
}

}  // namespace eyrie
