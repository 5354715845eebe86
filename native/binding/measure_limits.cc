#include "binding/measure_limits.h"

#include <exception>

#include "binding/js_error.h"
#include "error.h"
#include "ops/machine_limits.h"

namespace eyrie {

namespace {

constexpr int rounds = 3;
constexpr int threads_max = 256;

class LimitsWorker final : public Napi::AsyncWorker {
 public:
  LimitsWorker(Napi::Env env, int threads) : AsyncWorker(env), threads_(threads), deferred_(env) {}

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    // Exceptions must not leave the worker thread's callback.
    try {
      ThreadPool pool(threads_);
      limits_ = measure_limits(pool, rounds);
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void OnOK() override {
    if (failure_) {
      try {
        std::rethrow_exception(failure_);
      } catch (...) {
        deferred_.Reject(current_js_error(Env()));
      }
      return;
    }
    const Napi::Object result = Napi::Object::New(Env());
    result.Set("readGigabytesPerSecond", limits_.read_gb_s);
    result.Set("amxBf16Gflops", limits_.amx_bf16_gflops);
    result.Set("amxInt8Gops", limits_.amx_int8_gops);
    result.Set("avx512Bf16Gflops", limits_.avx512_bf16_gflops);
    result.Set("avx512VnniGops", limits_.avx512_vnni_gops);
    result.Set("fp32Gflops", limits_.fp32_gflops);
    deferred_.Resolve(result);
  }

 private:
  int threads_;
  Napi::Promise::Deferred deferred_;
  MachineLimits limits_{};
  std::exception_ptr failure_;
};

}  // namespace

Napi::Value measure_limits_promise(const Napi::CallbackInfo& info) {
  const double threads = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
  if (!(threads >= 1 && threads <= threads_max)) {
    const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(info.Env());
    try {
      throw Error(ErrorCode::invalid_request, "threads must be a number from 1 to 256");
    } catch (...) {
      deferred.Reject(current_js_error(info.Env()));
    }
    return deferred.Promise();
  }
  auto* worker = new LimitsWorker(info.Env(), static_cast<int>(threads));
  const Napi::Promise promise = worker->promise();
  worker->Queue();
  return promise;
}

}  // namespace eyrie
