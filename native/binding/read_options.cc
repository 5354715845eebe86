#include "binding/read_options.h"

#include "binding/read_fields.h"
#include "error.h"

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

namespace {

DeviceChoice read_device(const std::string& name) {
  if (name == "auto") return DeviceChoice::automatic;
  if (name == "cpu") return DeviceChoice::cpu;
  if (name == "cuda") return DeviceChoice::cuda;
  throw Error(ErrorCode::invalid_request, "device is '" + name + "', must be auto, cpu or cuda");
}

DType read_dtype(const std::string& name) {
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::int8, DType::fp8}) {
    if (name == dtype_name(dtype)) return dtype;
  }
  throw Error(ErrorCode::invalid_request, "dtype is '" + name + "', must be float32, bfloat16, int8 or fp8");
}

CudaChoice read_cuda(const Napi::Value& value) {
  const FieldReader fields(value, "cuda");
  CudaChoice cuda;
  if (!fields.is_null("library")) cuda.library = fields.string("library");
  cuda.slots = fields.whole("slots");
  cuda.prefill_tokens = fields.whole("prefillTokens");
  cuda.kv_pages = fields.whole("kvPages");
  cuda.cards = fields.whole("cards");
  cuda.keep_dense = fields.boolean("keepDense");
  cuda.keep_down = fields.boolean("keepDown");
  return cuda;
}

}  // namespace

EngineOptions read_options(const Napi::Value& value) {
  const FieldReader fields(value, "options");
  EngineOptions options;
  options.model_directory = fields.string("modelDirectory");
  options.config = read_config(fields.value("config"), "config");
  options.device = read_device(fields.string("device"));
  options.dtype = read_dtype(fields.string("dtype"));
  options.isa = resolve_isa(fields.string("isa"));
  if (options.device != DeviceChoice::cpu) options.cuda = read_cuda(fields.value("cuda"));
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
