#include "binding/read_options.h"

#include "binding/read_fields.h"

namespace eyrie {

FalconConfig read_config(const Napi::Value& value, const char* what) {
  const FieldReader fields(value, what);
  FalconConfig config;
  config.layers = fields.whole("layers");
  config.hidden_size = fields.whole("hiddenSize");
  config.query_heads = fields.whole("queryHeads");
  config.kv_heads = fields.whole("kvHeads");
  config.head_dim = fields.whole("headDim");
  config.ffn_size = fields.whole("ffnSize");
  config.vocab_size = fields.whole("vocabSize");
  config.context_tokens = fields.whole("contextTokens");
  config.layer_norm_epsilon = fields.number("layerNormEpsilon");
  config.rope_theta = fields.number("ropeTheta");
  config.parallel_attention = fields.boolean("parallelAttention");
  config.norms_per_layer = fields.whole("normsPerLayer");
  config.linear_bias = fields.boolean("linearBias");
  config.alibi = fields.boolean("alibi");
  config.tied_head = fields.boolean("tiedHead");
  return config;
}

EngineOptions read_options(const Napi::Value& value) {
  const FieldReader fields(value, "options");
  EngineOptions options;
  options.model_directory = fields.string("modelDirectory");
  options.config = read_config(fields.value("config"), "config");
  options.dtype = fields.string("dtype");
  options.isa = fields.string("isa");
  options.slots = fields.whole("slots");
  options.slot_tokens = fields.whole("slotTokens");
  options.prefill_tokens = fields.whole("prefillTokens");
  options.threads = fields.whole("threads");
  options.stop_token_ids = fields.words32("stopTokenIds");
  if (!fields.is_null("tokenBytes")) {
    options.token_bytes = fields.bytes("tokenBytes");
    options.token_byte_ends = fields.words32("tokenByteEnds");
  }
  return options;
}

}  // namespace eyrie
