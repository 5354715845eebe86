// Entry point of the addon: NativeAddon of src/adapters/engine-native/native-types.ts.

#include <napi.h>

#include <algorithm>

#include "binding/convert_checkpoint.h"
#include "binding/cuda_cards.h"
#include "binding/engine_handle.h"
#include "binding/grammars.h"
#include "binding/inspect_checkpoint.h"
#include "binding/js_error.h"
#include "binding/measure_limits.h"
#include "binding/read_options.h"
#include "binding/score_layers.h"
#include "cpu/isa.h"
#include "error.h"

namespace eyrie {

namespace {

Napi::Value open_engine(const Napi::CallbackInfo& info) {
  try {
    EngineOptions options = read_options(info[0]);
    if (!info[1].IsFunction()) throw Error(ErrorCode::invalid_request, "onProgress must be a function");
    return EngineHandle::open(info.Env(), std::move(options), info[1].As<Napi::Function>());
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

/// Best first, as the TypeScript side promises.
Napi::Value supported_isa_names(const Napi::CallbackInfo& info) {
  std::vector<Isa> isas = supported_isas();
  std::reverse(isas.begin(), isas.end());
  const Napi::Array names = Napi::Array::New(info.Env(), isas.size());
  for (size_t i = 0; i < isas.size(); ++i) names.Set(static_cast<uint32_t>(i), isa_name(isas[i]));
  return names;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("openEngine", Napi::Function::New(env, open_engine, "openEngine"));
  exports.Set("openGrammars", Napi::Function::New(env, open_grammars_promise, "openGrammars"));
  exports.Set("supportedIsas", Napi::Function::New(env, supported_isa_names, "supportedIsas"));
  exports.Set("cudaCards", Napi::Function::New(env, cuda_cards_promise, "cudaCards"));
  exports.Set("inspectCheckpoint", Napi::Function::New(env, inspect_checkpoint_promise, "inspectCheckpoint"));
  exports.Set("convertCheckpoint", Napi::Function::New(env, convert_checkpoint_promise, "convertCheckpoint"));
  exports.Set("scoreByLayers", Napi::Function::New(env, score_layers_promise, "scoreByLayers"));
  exports.Set("measureLimits", Napi::Function::New(env, measure_limits_promise, "measureLimits"));
  return exports;
}

}  // namespace

}  // namespace eyrie

// A macro that defines functions cannot sit in a namespace.
static Napi::Object init_addon(Napi::Env env, Napi::Object exports) { return eyrie::init(env, exports); }
NODE_API_MODULE(eyrie_native, init_addon)
