#include "binding/cuda_cards.h"

#include "binding/background_task.h"
#include "binding/to_js_array.h"
#include "engine/cuda_library.h"

namespace eyrie {

namespace {

Napi::Value to_js(Napi::Env env, const std::vector<CudaCard>& cards) {
  return to_js_array(env, cards, [env](const CudaCard& card) {
    const Napi::Object out = Napi::Object::New(env);
    out.Set("name", card.name);
    out.Set("computeCapability", std::to_string(card.major) + "." + std::to_string(card.minor));
    out.Set("multiprocessors", to_js_number(env, card.multiprocessors));
    out.Set("memoryBytes", to_js_number(env, card.memory_bytes));
    out.Set("freeBytes", to_js_number(env, card.free_bytes));
    return out;
  });
}

}  // namespace

Napi::Value cuda_cards_promise(const Napi::CallbackInfo& info) {
  try {
    if (!info[0].IsNull() && !info[0].IsString()) throw Error(ErrorCode::invalid_request, "library must be a string or null");
    const std::string library = info[0].IsNull() ? "" : info[0].As<Napi::String>().Utf8Value();
    return BackgroundTask<std::vector<CudaCard>>::start(
        info.Env(), [library](const auto&, const std::atomic<bool>&) { return CudaLibrary(library).cards(); }, to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
