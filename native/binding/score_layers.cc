#include "binding/score_layers.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "binding/background_task.h"
#include "binding/read_fields.h"
#include "binding/read_options.h"
#include "binding/to_js_array.h"
#include "engine/score_layers.h"
#include "error.h"

namespace eyrie {

namespace {

std::vector<std::vector<uint32_t>> read_texts(const FieldReader& fields) {
  const std::vector<uint32_t> ids = fields.words32("tokenIds");
  const std::vector<uint32_t> ends = fields.words32("ends");
  std::vector<std::vector<uint32_t>> texts;
  uint32_t begin = 0;
  for (const uint32_t end : ends) {
    if (end < begin || end > ids.size()) {
      throw Error(ErrorCode::invalid_request,
                  "texts.ends must ascend and stay within the " + std::to_string(ids.size()) + " ids of texts.tokenIds");
    }
    texts.emplace_back(ids.begin() + begin, ids.begin() + end);
    begin = end;
  }
  return texts;
}

Napi::Value to_js(Napi::Env env, const LayerScores& scores) {
  size_t tokens = 0;
  for (const TextScore& text : scores.texts) tokens += text.chosen.size();
  auto chosen = Napi::Float32Array::New(env, tokens);
  auto best = Napi::Uint32Array::New(env, tokens);
  size_t at = 0;
  for (const TextScore& text : scores.texts) {
    std::copy(text.chosen.begin(), text.chosen.end(), chosen.Data() + at);
    std::copy(text.best.begin(), text.best.end(), best.Data() + at);
    at += text.chosen.size();
  }
  const Napi::Object out = Napi::Object::New(env);
  out.Set("chosen", chosen);
  out.Set("best", best);
  out.Set("layersAtOnce", to_js_number(env, scores.layers_at_once));
  return out;
}

}  // namespace

Napi::Value score_layers_promise(const Napi::CallbackInfo& info) {
  try {
    EngineOptions options = read_options(info[0]);
    const FieldReader fields(info[1], "texts");
    auto texts = read_texts(fields);
    ScoreSettings settings;
    settings.layers = fields.whole("layers");
    return BackgroundTask<LayerScores>::start(
        info.Env(),
        [options = std::move(options), texts = std::move(texts), settings](const auto&, const std::atomic<bool>& cancelled) {
          return score_by_layers(options, texts, settings, cancelled);
        },
        to_js);
  } catch (...) {
    return rejected_promise(info.Env());
  }
}

}  // namespace eyrie
