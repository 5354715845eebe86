#include "model/weight_plan.h"

#include <string>
#include <unordered_map>

#include "error.h"
#include "model/falcon_tensors.h"

namespace eyrie {

namespace {

class Planner {
 public:
  Planner(const Checkpoint& checkpoint, const FalconConfig& config) : checkpoint_(checkpoint), config_(config) {
    for (const FalconTensor& found : match_falcon_tensors(checkpoint, config)) {
      by_name_[found.tensor->name] = found;
      if (found.role == TensorRole::zero_bias) plan_.zeros.push_back(found.tensor);
    }
  }

  void layer(uint32_t index, LayerWeights& layer);
  void model(FalconWeights& weights);
  WeightPlan take() { return std::move(plan_); }

 private:
  const FalconTensor& weights_for(const std::string& name, const PackedLinear& target) const {
    const FalconTensor& found = by_name_.at(name);
    if (found.scales != nullptr && target.dtype() != DType::int8) {
      throw Error(ErrorCode::invalid_request, checkpoint_.file_name(*found.tensor) + ": holds 8-bit weights, but dtype is " +
                                                  dtype_name(target.dtype()) + "; choose int8, or convert the original again");
    }
    return found;
  }

  void matrix(const std::string& name, PackedLinear& target) {
    const FalconTensor& found = weights_for(name, target);
    plan_.matrices.push_back({found.tensor, &target, 0, 0, target.n(), found.scales});
  }

  void vector(const std::string& name, int64_t size, std::vector<float>& target) {
    target.resize(static_cast<size_t>(size));
    plan_.vectors.push_back({by_name_.at(name).tensor, target.data(), 0, size});
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
  std::unordered_map<std::string, FalconTensor> by_name_;
};

// Files hold, for each KV head: its query heads, its key head, its value head.
void Planner::fused_qkv(const std::string& name, BiasedLinear& target) {
  const int64_t head = config_.head_dim;
  const int64_t queries = config_.query_heads / config_.kv_heads * head;
  const FalconTensor& weight = weights_for(name + ".weight", target.weight);
  const TensorInfo* bias = nullptr;
  if (config_.linear_bias) {
    bias = by_name_.at(name + ".bias").tensor;
    target.bias.resize(config_.qkv_size());
  }
  int64_t source = 0;
  const auto part = [&](int64_t to, int64_t rows) {
    plan_.matrices.push_back({weight.tensor, &target.weight, source, to, rows, weight.scales});
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
  // A tied head of its own is the embedding in 8 bits: made while loading, or stored by `eyrie model convert`.
  const auto head = by_name_.find("lm_head.weight");
  const bool stored = head != by_name_.end() && head->second.role == TensorRole::head;
  if (weights.own_head.n() > 0) matrix(stored ? "lm_head.weight" : "word_embeddings.weight", weights.own_head);
}

}  // namespace

WeightPlan plan_weights(const Checkpoint& checkpoint, const FalconConfig& config, FalconWeights& weights) {
  Planner planner(checkpoint, config);
  planner.model(weights);
  return planner.take();
}

}  // namespace eyrie
