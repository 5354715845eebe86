#include "binding/measure_limits.h"

#include "binding/background_task.h"
#include "cpu/lab/machine_limits.h"
#include "error.h"

namespace eyrie {

namespace {

constexpr int rounds = 3;
constexpr int threads_max = 256;

Napi::Value to_js(Napi::Env env, const MachineLimits& limits) {
  const Napi::Object result = Napi::Object::New(env);
  result.Set("readGigabytesPerSecond", limits.read_gb_s);
  result.Set("freshGigabytesPerSecond", limits.fresh_gb_s);
  result.Set("amxBf16Gflops", limits.amx_bf16_gflops);
  result.Set("amxInt8Gops", limits.amx_int8_gops);
  result.Set("avx512Bf16Gflops", limits.avx512_bf16_gflops);
  result.Set("avx512VnniGops", limits.avx512_vnni_gops);
  result.Set("fp32Gflops", limits.fp32_gflops);
  return result;
}

}  // namespace

Napi::Value measure_limits_promise(const Napi::CallbackInfo& info) {
  try {
    const double threads = info[0].IsNumber() ? info[0].As<Napi::Number>().DoubleValue() : 0;
    if (!(threads >= 1 && threads <= threads_max)) {
      throw Error(ErrorCode::invalid_request, "threads must be a number from 1 to 256");
    }
    return BackgroundTask<MachineLimits>::start(
        info.Env(),
        [threads](const auto&, const std::atomic<bool>&) {
          ThreadPool pool(static_cast<int>(threads));
          return measure_limits(pool, rounds);
        },
        to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
