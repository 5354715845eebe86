#pragma once
// What JavaScript holds: an engine, its promises, and the way back from the engine's threads to the JavaScript thread.
//
// The engine's threads never touch Node: they put news into the mailbox and ring once (a thread-safe function without data); the
// JavaScript thread empties the mailbox and settles promises. All other members belong to the JavaScript thread.
//
// Life: loading -> open -> closing -> closed. The functions of the JavaScript engine object share ownership of the handle, and the
// handle owns itself while a promise is unsettled, so an engine that is garbage collected is idle: its destructor only stops a
// sleeping thread. An environment that ends first (process exit, a terminated worker) runs the cleanup hook, which stops the
// load or the loop and waits for the pass under way; promises then die with the environment.

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "binding/write_result.h"
#include "engine/engine.h"

namespace eyrie {

class EngineHandle : public std::enable_shared_from_this<EngineHandle> {
 public:
  /// Starts loading on a thread of its own. The promise gives the JavaScript engine object.
  static Napi::Promise open(Napi::Env env, EngineOptions options, const Napi::Function& on_progress);
  ~EngineHandle();
  EngineHandle(const EngineHandle&) = delete;
  EngineHandle& operator=(const EngineHandle&) = delete;

 private:
  using Wake = std::weak_ptr<EngineHandle>;
  static void on_wake(Napi::Env env, Napi::Function, Wake* handle, void*);
  using Bell = Napi::TypedThreadSafeFunction<Wake, void, &EngineHandle::on_wake>;

  struct Pending {
    Napi::Promise::Deferred deferred;
    AskedFor asked;
    /// Empty: nobody watches the tokens.
    Napi::FunctionReference on_tokens;
    /// What on_tokens threw: it becomes the rejection.
    std::optional<Napi::Error> thrown;
  };
  struct Loaded {
    std::unique_ptr<Engine> engine;
    std::optional<Failure> failure;
  };
  struct Progress {
    uint64_t done = 0;
    uint64_t total = 0;
  };
  struct Mailbox {
    std::mutex mutex;
    bool rung = false;
    std::optional<Progress> progress;
    std::optional<Loaded> loaded;
    std::vector<TokenNews> news;
    std::vector<Outcome> outcomes;
    bool closed = false;
  };

  explicit EngineHandle(Napi::Env env);

  // Engine's threads.
  void load(EngineOptions options);
  template <class Post>
  void post(Post&& post);

  // JavaScript thread.
  void start(EngineOptions options, const Napi::Function& on_progress);
  void read_mail();
  void report_progress(const Progress& progress);
  void finish_load(Loaded loaded);
  void tell_tokens(const TokenNews& news);
  void settle(Outcome& outcome);
  void finish_close();
  Napi::Object to_js();
  Napi::Value generate(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value report(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  void hold();
  void let_go_if_idle();
  static void stop_with_environment(void* handle);
  void stop();

  Napi::Env env_;
  Bell bell_;
  Mailbox mailbox_;
  std::atomic<bool> load_cancelled_{false};
  std::thread loader_;
  std::unique_ptr<Engine> engine_;
  EngineReport last_report_;
  Napi::FunctionReference on_progress_;
  std::optional<Napi::Promise::Deferred> opening_;
  std::unordered_map<uint64_t, Pending> pending_;
  std::vector<Napi::Promise::Deferred> closers_;
  bool closing_ = false;
  bool environment_ended_ = false;
  std::shared_ptr<EngineHandle> self_;
};

}  // namespace eyrie
