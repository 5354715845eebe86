#include "model/weight_plan.h"

#include <string>
#include <unordered_set>

#include "error.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

class Planner {
 public:
  Planner(const Checkpoint& checkpoint, const FalconConfig& config) : checkpoint_(checkpoint), config_(config) {}

  void layer(uint32_t index, LayerWeights& layer);
  void model(FalconWeights& weights);
  void refuse_surplus();
  WeightPlan take() { return std::move(plan_); }

 private:
  /// The tensor of that name, checked and marked as used.
  const TensorInfo& take_tensor(const std::string& name, const std::vector<uint64_t>& shape) {
    const TensorInfo* tensor = checkpoint_.find(name);
    if (tensor == nullptr) {
      throw Error(ErrorCode::model_invalid, "the checkpoint lacks tensor " + quoted_text(name) + " " + shape_text(shape) +
                                                ", which its config calls for");
    }
    if (tensor->shape != shape) refuse(*tensor, "has shape " + shape_text(tensor->shape) + ", config.json says " + shape_text(shape));
    if (!is_weight_dtype(tensor->dtype)) {
      refuse(*tensor, std::string("has dtype ") + dtype_name(tensor->dtype) + ", must be BF16, F16 or F32");
    }
    used_.insert(tensor);
    return *tensor;
  }

  [[noreturn]] void refuse(const TensorInfo& tensor, const std::string& reason) const {
    throw Error(ErrorCode::model_invalid, checkpoint_.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " " + reason);
  }

  void matrix(const std::string& name, PackedLinear& target) {
    const TensorInfo& tensor = take_tensor(name, {static_cast<uint64_t>(target.n()), static_cast<uint64_t>(target.k())});
    plan_.matrices.push_back({&tensor, &target, 0, 0, target.n()});
  }

  void vector(const std::string& name, int64_t size, std::vector<float>& target) {
    const TensorInfo& tensor = take_tensor(name, {static_cast<uint64_t>(size)});
    target.resize(static_cast<size_t>(size));
    plan_.vectors.push_back({&tensor, target.data(), 0, size});
  }

  void norm(const std::string& name, NormWeights& target) {
    vector(name + ".weight", config_.hidden_size, target.weight);
    vector(name + ".bias", config_.hidden_size, target.bias);
  }

  void linear(const std::string& name, BiasedLinear& target) {
    matrix(name + ".weight", target.weight);
    if (config_.linear_bias) vector(name + ".bias", target.weight.n(), target.bias);
  }

  void fused_qkv(const std::string& name, BiasedLinear& target);

  const Checkpoint& checkpoint_;
  const FalconConfig& config_;
  WeightPlan plan_;
  std::unordered_set<const TensorInfo*> used_;
};

// Files hold, for each KV head: its query heads, its key head, its value head.
void Planner::fused_qkv(const std::string& name, BiasedLinear& target) {
  const int64_t head = config_.head_dim;
  const int64_t queries = config_.query_heads / config_.kv_heads * head;
  const TensorInfo& weight =
      take_tensor(name + ".weight", {config_.qkv_size(), config_.hidden_size});
  const TensorInfo* bias = nullptr;
  if (config_.linear_bias) {
    bias = &take_tensor(name + ".bias", {config_.qkv_size()});
    target.bias.resize(config_.qkv_size());
  }
  int64_t source = 0;
  const auto part = [&](int64_t to, int64_t rows) {
    plan_.matrices.push_back({&weight, &target.weight, source, to, rows});
    if (bias != nullptr) plan_.vectors.push_back({bias, target.bias.data() + to, source, rows});
    source += rows;
  };
  for (int64_t group = 0; group < config_.kv_heads; ++group) {
    part(group * queries, queries);
    part(config_.query_size() + group * head, head);
    part(config_.query_size() + config_.kv_size() + group * head, head);
  }
}

void Planner::layer(uint32_t index, LayerWeights& layer) {
  const std::string prefix = "h." + std::to_string(index) + ".";
  if (!config_.parallel_attention) {
    norm(prefix + "input_layernorm", layer.attention_norm);
    norm(prefix + "post_attention_layernorm", layer.mlp_norm);
  } else if (config_.norms_per_layer == 2) {
    norm(prefix + "ln_attn", layer.attention_norm);
    norm(prefix + "ln_mlp", layer.mlp_norm);
  } else {
    norm(prefix + "input_layernorm", layer.attention_norm);
  }
  fused_qkv(prefix + "self_attention.query_key_value", layer.qkv);
  linear(prefix + "self_attention.dense", layer.dense);
  linear(prefix + "mlp.dense_h_to_4h", layer.up);
  linear(prefix + "mlp.dense_4h_to_h", layer.down);
}

void Planner::model(FalconWeights& weights) {
  matrix("word_embeddings.weight", weights.embedding);
  for (uint32_t index = 0; index < config_.layers; ++index) layer(index, weights.layers[index]);
  norm("ln_f", weights.final_norm);
  if (weights.own_head.n() > 0) matrix(config_.tied_head ? "word_embeddings.weight" : "lm_head.weight", weights.own_head);
}

void Planner::refuse_surplus() {
  for (const TensorInfo& tensor : checkpoint_.tensors()) {
    if (used_.contains(&tensor) || is_ignored_tensor(tensor.name)) continue;
    if (config_.tied_head && tensor.name == "lm_head.weight") continue;
    if (!config_.linear_bias && tensor.name.ends_with(".bias") && tensor.shape.size() == 1 && is_weight_dtype(tensor.dtype)) {
      plan_.zeros.push_back(&tensor);
      continue;
    }
    refuse(tensor, shape_text(tensor.shape) + " has no place in the model config.json describes");
  }
}

}  // namespace

WeightPlan plan_weights(const Checkpoint& checkpoint, const FalconConfig& config, FalconWeights& weights) {
  Planner planner(checkpoint, config);
  planner.model(weights);
  planner.refuse_surplus();
  return planner.take();
}

}  // namespace eyrie
