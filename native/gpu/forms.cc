#include "gpu/forms.h"

namespace eyrie::gpu {

namespace {

struct Form {
  const char* name;
  FalconConfig config;
};

// `tiny` is 40b's form in sizes for tests.
const Form kForms[] = {
    {"40b",
     {.layers = 60,
      .hidden_size = 8192,
      .query_heads = 128,
      .kv_heads = 8,
      .head_dim = 64,
      .ffn_size = 32768,
      .vocab_size = 65024,
      .context_tokens = 2048}},
    {"180b",
     {.layers = 80,
      .hidden_size = 14848,
      .query_heads = 232,
      .kv_heads = 8,
      .head_dim = 64,
      .ffn_size = 59392,
      .vocab_size = 65024,
      .context_tokens = 2048}},
    {"7b",
     {.layers = 32,
      .hidden_size = 4544,
      .query_heads = 71,
      .kv_heads = 1,
      .head_dim = 64,
      .ffn_size = 18176,
      .vocab_size = 65024,
      .context_tokens = 2048,
      .norms_per_layer = 1}},
    {"11b",
     {.layers = 60,
      .hidden_size = 4096,
      .query_heads = 32,
      .kv_heads = 8,
      .head_dim = 128,
      .ffn_size = 16384,
      .vocab_size = 65024,
      .context_tokens = 8192,
      .rope_theta = 500042.0f,
      .norms_per_layer = 1,
      .tied_head = false}},
    {"tiny",
     {.layers = 2,
      .hidden_size = 256,
      .query_heads = 4,
      .kv_heads = 2,
      .head_dim = 64,
      .ffn_size = 1024,
      .vocab_size = 512,
      .context_tokens = 1024}},
};

}  // namespace

const std::vector<std::string>& form_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Form& form : kForms) all.push_back(form.name);
    return all;
  }();
  return names;
}

FalconConfig form(const std::string& name) {
  for (const Form& form : kForms) {
    if (name == form.name) return form.config;
  }
  return {};
}

FalconConfig form_from(Arguments& arguments) {
  FalconConfig config = form(arguments.choice("form", "40b", form_names()));
  config.layers = arguments.number("layers", config.layers, 1, 1024);
  config.query_heads = arguments.number("query-heads", config.query_heads, 1, 4096);
  config.kv_heads = arguments.number("kv-heads", config.kv_heads, 1, 4096);
  config.head_dim = arguments.number("head-dim", config.head_dim, 2, 256);
  config.hidden_size = arguments.number("hidden", config.query_size(), 1, 1u << 18);
  config.ffn_size = arguments.number("ffn", config.ffn_size, 1, 1u << 18);
  config.vocab_size = arguments.number("vocab", config.vocab_size, 1, 1u << 20);
  config.context_tokens = arguments.number("context-tokens", config.context_tokens, 1, 1u << 20);
  config.norms_per_layer = arguments.number("norms", config.norms_per_layer, 1, 2);
  if (arguments.flag("untied-head")) config.tied_head = false;
  check_falcon_config(config);
  return config;
}

}  // namespace eyrie::gpu
