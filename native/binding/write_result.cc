#include "binding/write_result.h"

#include <cstring>
#include <string>
#include <vector>

namespace eyrie {

namespace {

template <class Array, class T>
Napi::Value to_array(Napi::Env env, const T* data, size_t count) {
  Array array = Array::New(env, count);
  if (count > 0) std::memcpy(array.Data(), data, count * sizeof(T));
  return array;
}

Napi::Value words(Napi::Env env, const std::vector<uint32_t>& values, bool asked = true) {
  return asked ? to_array<Napi::Uint32Array>(env, values.data(), values.size()) : env.Null();
}

Napi::Value floats(Napi::Env env, const std::vector<float>& values, bool asked) {
  return asked ? to_array<Napi::Float32Array>(env, values.data(), values.size()) : env.Null();
}

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::stop: return "stop";
    case FinishReason::length: return "length";
    case FinishReason::cancelled: break;
  }
  return "cancelled";
}

Napi::Value count(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

}  // namespace

Napi::Object to_js_result(Napi::Env env, const Result& result, const AskedFor& asked) {
  Napi::Object out = Napi::Object::New(env);
  const auto* text = reinterpret_cast<const uint8_t*>(result.text_bytes.data());
  out.Set("tokenIds", words(env, result.token_ids));
  out.Set("textBytes", to_array<Napi::Uint8Array>(env, text, result.text_bytes.size()));
  out.Set("finishReason", finish_reason_name(result.finish_reason));
  out.Set("logprobs", floats(env, result.logprobs, asked.logprobs));
  out.Set("topIds", words(env, result.top_ids, asked.logprobs));
  out.Set("topLogprobs", floats(env, result.top_logprobs, asked.logprobs));
  out.Set("promptLogprobs", floats(env, result.prompt_logprobs, asked.prompt_logprobs));
  out.Set("promptTopIds", words(env, result.prompt_top_ids, asked.prompt_logprobs));
  out.Set("promptTopLogprobs", floats(env, result.prompt_top_logprobs, asked.prompt_logprobs));
  return out;
}

Napi::Object to_js_tokens(Napi::Env env, const TokenNews& news, const AskedFor& asked) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("tokenIds", words(env, news.token_ids));
  out.Set("logprobs", floats(env, news.logprobs, asked.logprobs));
  out.Set("topIds", words(env, news.top_ids, asked.logprobs));
  out.Set("topLogprobs", floats(env, news.top_logprobs, asked.logprobs));
  return out;
}

Napi::Object to_js_report(Napi::Env env, const EngineReport& report) {
  Napi::Object out = Napi::Object::New(env);
  out.Set("promptTokens", count(env, report.prompt_tokens));
  out.Set("generatedTokens", count(env, report.generated_tokens));
  out.Set("paddedPrefillTokens", count(env, report.padded_prefill_tokens));
  out.Set("prefillPacks", count(env, report.prefill_packs));
  out.Set("decodeSteps", count(env, report.decode_steps));
  out.Set("idleSlotSteps", count(env, report.idle_slot_steps));
  out.Set("overrunTokens", count(env, report.overrun_tokens));
  out.Set("prefillNanoseconds", count(env, report.prefill_nanoseconds));
  out.Set("prefillMultiplyAdds", count(env, report.prefill_multiply_adds));
  out.Set("decodeMultiplyAdds", count(env, report.decode_multiply_adds));
  out.Set("decodeNanoseconds", count(env, report.decode_nanoseconds));
  out.Set("decodeOnlySteps", count(env, report.decode_only_steps));
  return out;
}

Napi::Object to_js_info(Napi::Env env, const EngineInfo& info) {
  Napi::Object out = Napi::Object::New(env);
  const BackendInfo& backend = info.backend;
  out.Set("device", backend.device == DeviceKind::cuda ? "cuda" : "cpu");
  out.Set("kind", backend.kind);
  out.Set("dtype", dtype_name(backend.dtype));
  out.Set("numerics", backend.numerics);
  out.Set("weightBytes", count(env, backend.weight_bytes));
  out.Set("kvCacheBytes", count(env, backend.kv_cache_bytes));
  out.Set("slots", count(env, info.slots));
  out.Set("prefillTokens", count(env, info.prefill_tokens));
  out.Set("whyCpu", info.why_cpu.empty() ? env.Null() : Napi::Value(Napi::String::New(env, info.why_cpu)));
  return out;
}

}  // namespace eyrie
