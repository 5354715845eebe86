#include "model/weight_plan.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "error.h"
#include "model/falcon_tensors.h"

namespace eyrie {

namespace {

class Planner {
 public:
  Planner(const Checkpoint& checkpoint, const FalconConfig& config) : checkpoint_(checkpoint), config_(config) {
    for (const FalconTensor& found : match_falcon_tensors(checkpoint, config.whole())) {
      by_name_[found.tensor->name] = found;
      if (found.role == TensorRole::zero_bias) plan_.zeros.push_back(found.tensor);
    }
  }

  void layer(uint32_t index, const LayerTargets& layer);
  void model(WeightSink& sink);
  WeightPlan take();

 private:
  /// The plan of a tensor that goes to `target`, among others.
  MatrixPlan& plan_for(const std::string& name, const MatrixTarget& target);

  void matrix(const std::string& name, MatrixTarget& target) { plan_for(name, target).parts.push_back({&target, 0, 0, target.n()}); }

  void vector(const std::string& name, std::span<float> target) {
    plan_.vectors.push_back({by_name_.at(name).tensor, target.data(), 0, static_cast<int64_t>(target.size())});
  }

  void norm(const std::string& name, const NormTargets& target) {
    vector(name + ".weight", target.weight);
    vector(name + ".bias", target.bias);
  }

  void linear(const std::string& name, const LinearTarget& target) {
    matrix(name + ".weight", *target.weight);
    if (config_.linear_bias) vector(name + ".bias", target.bias);
  }

  void fused_qkv(const std::string& name, const LinearTarget& target);

  const Checkpoint& checkpoint_;
  const FalconConfig& config_;
  WeightPlan plan_;
  std::unordered_map<std::string, FalconTensor> by_name_;
  std::unordered_map<std::string, size_t> planned_;  // index among plan_.matrices
};

std::string other_types(TensorDtype stored) { return stored == TensorDtype::i8 ? "choose int8" : "choose fp8 (on a card) or bfloat16"; }

MatrixPlan& Planner::plan_for(const std::string& name, const MatrixTarget& target) {
  const FalconTensor& found = by_name_.at(name);
  if (found.scales != nullptr && !target.takes_stored(found.tensor->dtype)) {
    throw Error(ErrorCode::invalid_request, checkpoint_.file_name(*found.tensor) + ": holds 8-bit weights (" +
                                                dtype_name(found.tensor->dtype) + "), but dtype is " + dtype_name(target.dtype()) + "; " +
                                                other_types(found.tensor->dtype) + ", or convert the original again");
  }
  const auto [at, is_new] = planned_.try_emplace(name, plan_.matrices.size());
  if (is_new) plan_.matrices.push_back({found.tensor, found.scales, {}});
  return plan_.matrices[at->second];
}

// Files hold, for each KV head: its query heads, its key head, its value head.
void Planner::fused_qkv(const std::string& name, const LinearTarget& target) {
  const int64_t head = config_.head_dim;
  const int64_t queries = config_.query_heads / config_.kv_heads * head;
  MatrixPlan& weight = plan_for(name + ".weight", *target.weight);
  const TensorInfo* bias = config_.linear_bias ? by_name_.at(name + ".bias").tensor : nullptr;
  int64_t source = 0;
  const auto part = [&](int64_t to, int64_t rows) {
    weight.parts.push_back({target.weight, source, to, rows});
    if (bias != nullptr) plan_.vectors.push_back({bias, target.bias.data() + to, source, rows});
    source += rows;
  };
  for (int64_t group = 0; group < config_.kv_heads; ++group) {
    part(group * queries, queries);
    part(config_.query_size() + group * head, head);
    part(config_.query_size() + config_.kv_size() + group * head, head);
  }
}

void Planner::layer(uint32_t index, const LayerTargets& layer) {
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

void Planner::model(WeightSink& sink) {
  if (MatrixTarget* const embedding = sink.embedding()) matrix("word_embeddings.weight", *embedding);
  for (uint32_t index = 0; index < config_.layers; ++index) layer(config_.first_layer + index, sink.layer(index));
  if (config_.ends()) norm("ln_f", sink.final_norm());
  // A tied head of its own is the embedding in 8 bits: made while loading, or stored by `eyrie model convert`.
  const auto head = by_name_.find("lm_head.weight");
  const bool stored = head != by_name_.end() && head->second.role == TensorRole::head;
  if (MatrixTarget* const own_head = sink.own_head()) matrix(stored ? "lm_head.weight" : "word_embeddings.weight", *own_head);
}

WeightPlan Planner::take() {
  std::stable_sort(plan_.matrices.begin(), plan_.matrices.end(), [](const MatrixPlan& a, const MatrixPlan& b) {
    return a.tensor->file != b.tensor->file ? a.tensor->file < b.tensor->file : a.tensor->offset < b.tensor->offset;
  });
  return std::move(plan_);
}

}  // namespace

WeightPlan plan_weights(const Checkpoint& checkpoint, const FalconConfig& config, WeightSink& sink) {
  Planner planner(checkpoint, config);
  planner.model(sink);
  return planner.take();
}

}  // namespace eyrie
