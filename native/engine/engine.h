#pragma once
// An open model with its step loop on a thread of its own. Knows nothing of Node: results leave through callbacks.
//
// States: open -> closing -> closed. In `open` the loop sleeps while there is no work. request_close() moves to `closing`: the
// running pass ends, every request left gets engine_closed, weights and caches are freed on the loop's thread, `on_closed` is
// called, and the thread ends. An exception out of a pass (out of memory, a bug) fails the live requests with it and closes the
// engine the same way; the process stays up.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "engine/batch_runner.h"
#include "engine/engine_options.h"
#include "engine/outcome.h"
#include "engine/request.h"
#include "engine/token_news.h"
#include "model/load_falcon.h"

namespace eyrie {

/// All are called on the loop's thread and must return quickly; none may call the engine.
struct EngineEvents {
  std::function<void(std::vector<Outcome>&& outcomes)> on_outcomes;
  std::function<void(std::vector<TokenNews>&& news)> on_news;
  std::function<void()> on_closed;
};

class Engine {
 public:
  /// Requests waiting and running at once.
  static constexpr size_t kRequestsMax = 65'536;

  /// Loads the model on the calling thread and starts the loop. Throws what load_falcon() throws, invalid_request for bad options,
  /// unsupported_device. `cancelled` ends the load early with engine_closed.
  static std::unique_ptr<Engine> open(EngineOptions options, EngineEvents events, const LoadProgress& on_progress,
                                      const std::atomic<bool>& cancelled);
  /// Closes and waits for the loop's thread.
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineInfo& info() const { return info_; }

  /// Queues a request. `id` must differ from those of live requests. `watched`: news of its tokens are told after each pass that
  /// it survives, before its outcome. Throws invalid_request, engine_closed, or out_of_memory when kRequestsMax are live.
  /// Thread-safe, as are the calls below.
  void submit(uint64_t id, Request request, bool watched = false);
  void cancel(uint64_t id);
  EngineReport report() const;
  /// Returns at once; on_closed follows.
  void request_close();

 private:
  Engine(EngineOptions options, EngineEvents events);
  void run();
  bool take_mail();
  void end_all(const Failure& failure, std::vector<Outcome>& outcomes);
  void deliver(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);

  const EngineOptions options_;
  const EngineEvents events_;
  EngineInfo info_;
  /// Both belong to the loop's thread once it runs.
  std::unique_ptr<ThreadPool> pool_;
  std::unique_ptr<BatchRunner> runner_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_.
  std::vector<std::unique_ptr<Sequence>> arrivals_;
  std::vector<uint64_t> cancels_;
  size_t live_ = 0;
  bool closing_ = false;
  EngineReport report_;

  std::thread thread_;
};

}  // namespace eyrie
