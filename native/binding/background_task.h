#pragma once
// Work that runs on a thread of Node's pool while a promise waits for it.

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>

#include "binding/js_error.h"

namespace eyrie {

struct TaskProgress {
  uint64_t done = 0;
  uint64_t total = 0;
};

/// `Value` is what the work gives. The promise rejects with the coded error that the work throws. An environment that ends sets
/// `cancelled`, which the work should look at now and then: Node waits for it.
template <class Value>
class BackgroundTask final : public Napi::AsyncProgressWorker<TaskProgress> {
 public:
  using Report = std::function<void(uint64_t done, uint64_t total)>;
  using Work = std::function<Value(const Report& report, const std::atomic<bool>& cancelled)>;
  using ToJs = std::function<Napi::Value(Napi::Env env, const Value& value)>;

  /// `on_progress` (empty = none) is called with (done, total), not for every report; when it returns false
  /// or throws, the work is cancelled.
  static Napi::Promise start(Napi::Env env, Work work, ToJs to_js, const Napi::Function& on_progress = {}) {
    auto* task = new BackgroundTask(env, std::move(work), std::move(to_js), on_progress);
    const Napi::Promise promise = task->deferred_.Promise();
    task->Queue();
    return promise;
  }

  ~BackgroundTask() override { napi_remove_env_cleanup_hook(Env(), cancel, &cancelled_); }

 protected:
  void Execute(const ExecutionProgress& progress) override {
    // Exceptions must not leave the callback of a thread of the pool.
    try {
      value_ = work_(
          [&progress](uint64_t done, uint64_t total) {
            const TaskProgress news{done, total};
            progress.Send(&news, 1);
          },
          cancelled_);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnProgress(const TaskProgress* news, size_t count) override {
    if (on_progress_.IsEmpty() || count == 0 || cancelled_) return;
    try {
      const auto number = [this](uint64_t value) { return Napi::Number::New(Env(), static_cast<double>(value)); };
      const Napi::Value answer = on_progress_.Call({number(news->done), number(news->total)});
      if (answer.IsBoolean() && !answer.As<Napi::Boolean>().Value()) cancelled_ = true;
    } catch (const Napi::Error& error) {
      callback_failure_ = Napi::Persistent(error.Value());
      cancelled_ = true;
    }
  }

  void OnOK() override {
    if (!callback_failure_.IsEmpty()) return deferred_.Reject(callback_failure_.Value());
    try {
      if (failure_) std::rethrow_exception(failure_);
      deferred_.Resolve(to_js_(Env(), *value_));
    } catch (...) {
      deferred_.Reject(current_js_error(Env()));
    }
  }

 private:
  BackgroundTask(Napi::Env env, Work work, ToJs to_js, const Napi::Function& on_progress)
      : AsyncProgressWorker(env), work_(std::move(work)), to_js_(std::move(to_js)), deferred_(env) {
    if (!on_progress.IsEmpty()) on_progress_ = Napi::Persistent(on_progress);
    napi_add_env_cleanup_hook(env, cancel, &cancelled_);
  }

  static void cancel(void* cancelled) { *static_cast<std::atomic<bool>*>(cancelled) = true; }

  Work work_;
  ToJs to_js_;
  Napi::Promise::Deferred deferred_;
  Napi::FunctionReference on_progress_;
  Napi::ObjectReference callback_failure_;
  std::atomic<bool> cancelled_{false};
  std::optional<Value> value_;
  std::exception_ptr failure_;
};

}  // namespace eyrie
