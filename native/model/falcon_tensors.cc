#include "model/falcon_tensors.h"

#include <string>
#include <unordered_set>

#include "error.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

class Matcher {
 public:
  Matcher(const Checkpoint& checkpoint, const FalconConfig& config) : checkpoint_(checkpoint), config_(config) {}

  std::vector<FalconTensor> match();

 private:
  [[noreturn]] void refuse(const TensorInfo& tensor, const std::string& reason) const {
    throw Error(ErrorCode::model_invalid, checkpoint_.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " " + reason);
  }

  const TensorInfo& take(const std::string& name, const std::vector<uint64_t>& shape) {
    const TensorInfo* tensor = checkpoint_.find(name);
    if (tensor == nullptr) {
      throw Error(ErrorCode::model_invalid,
                  "the checkpoint lacks tensor " + quoted_text(name) + " " + shape_text(shape) + ", which its config calls for");
    }
    if (tensor->shape != shape) {
      refuse(*tensor, "has shape " + shape_text(tensor->shape) + ", config.json says " + shape_text(shape));
    }
    used_.insert(tensor);
    return *tensor;
  }

  void add(const std::string& name, const std::vector<uint64_t>& shape, TensorRole role) {
    const TensorInfo& tensor = take(name, shape);
    const bool may_be_8_bits = role == TensorRole::matrix || role == TensorRole::head;
    const TensorInfo* scales = nullptr;
    if (may_be_8_bits && is_stored_in_8_bits(tensor.dtype)) {
      scales = &take(name + "_scale", {shape[0]});
      if (scales->dtype != TensorDtype::f32) refuse(*scales, std::string("has dtype ") + dtype_name(scales->dtype) + ", must be F32");
    } else if (!is_weight_dtype(tensor.dtype)) {
      refuse(tensor, std::string("has dtype ") + dtype_name(tensor.dtype) + ", must be BF16, F16 or F32");
    }
    found_.push_back({&tensor, role, scales});
  }

  void norm(const std::string& name) {
    add(name + ".weight", {config_.hidden_size}, TensorRole::vector);
    add(name + ".bias", {config_.hidden_size}, TensorRole::vector);
  }

  void linear(const std::string& name, uint64_t rows, uint64_t columns) {
    add(name + ".weight", {rows, columns}, TensorRole::matrix);
    if (config_.linear_bias) add(name + ".bias", {rows}, TensorRole::vector);
  }

  void layer(const std::string& prefix);
  void head();
  void surplus();

  const Checkpoint& checkpoint_;
  const FalconConfig& config_;
  std::vector<FalconTensor> found_;
  std::unordered_set<const TensorInfo*> used_;
};

void Matcher::layer(const std::string& prefix) {
  if (!config_.parallel_attention) {
    norm(prefix + "input_layernorm");
    norm(prefix + "post_attention_layernorm");
  } else if (config_.norms_per_layer == 2) {
    norm(prefix + "ln_attn");
    norm(prefix + "ln_mlp");
  } else {
    norm(prefix + "input_layernorm");
  }
  linear(prefix + "self_attention.query_key_value", config_.qkv_size(), config_.hidden_size);
  linear(prefix + "self_attention.dense", config_.hidden_size, config_.query_size());
  linear(prefix + "mlp.dense_h_to_4h", config_.ffn_size, config_.hidden_size);
  linear(prefix + "mlp.dense_4h_to_h", config_.hidden_size, config_.ffn_size);
}

void Matcher::head() {
  const TensorInfo* stored = checkpoint_.find("lm_head.weight");
  const bool used = !config_.tied_head || (stored != nullptr && is_stored_in_8_bits(stored->dtype));
  if (used) {
    add("lm_head.weight", {config_.vocab_size, config_.hidden_size}, TensorRole::head);
  } else if (stored != nullptr) {
    used_.insert(stored);
    found_.push_back({stored, TensorRole::spare_head});
  }
}

void Matcher::surplus() {
  for (const TensorInfo& tensor : checkpoint_.tensors()) {
    if (used_.contains(&tensor) || is_ignored_tensor(tensor.name)) continue;
    const bool bias = tensor.name.ends_with(".bias") && tensor.shape.size() == 1 && is_weight_dtype(tensor.dtype);
    if (config_.linear_bias || !bias) {
      refuse(tensor, shape_text(tensor.shape) + " has no place in the model config.json describes");
    }
    found_.push_back({&tensor, TensorRole::zero_bias});
  }
}

std::vector<FalconTensor> Matcher::match() {
  add("word_embeddings.weight", {config_.vocab_size, config_.hidden_size}, TensorRole::embedding);
  for (uint32_t index = 0; index < config_.layers; ++index) layer("h." + std::to_string(index) + ".");
  norm("ln_f");
  head();
  surplus();
  return std::move(found_);
}

}  // namespace

std::vector<FalconTensor> match_falcon_tensors(const Checkpoint& checkpoint, const FalconConfig& config) {
  return Matcher(checkpoint, config).match();
}

}  // namespace eyrie
