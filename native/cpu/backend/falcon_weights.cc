#include "cpu/backend/falcon_weights.h"

namespace eyrie {

VocabularyMatrices vocabulary_matrices(const FalconConfig& config, DType dtype) {
  const bool shared = config.tied_head && dtype == activation_dtype(dtype);
  return {config.begins() || (config.ends() && shared), config.ends() && !shared};
}

FalconWeights::FalconWeights(const FalconConfig& config, DType dtype) : layers(config.layers) {
  const VocabularyMatrices has = vocabulary_matrices(config, dtype);
  if (has.embedding) embedding = PackedLinear(config.vocab_size, config.hidden_size, activation_dtype(dtype));
  for (LayerWeights& layer : layers) {
    layer.qkv.weight = PackedLinear(config.qkv_size(), config.hidden_size, dtype);
    layer.dense.weight = PackedLinear(config.hidden_size, config.query_size(), dtype);
    layer.up.weight = PackedLinear(config.ffn_size, config.hidden_size, dtype);
    layer.down.weight = PackedLinear(config.hidden_size, config.ffn_size, dtype);
  }
  if (has.own_head) own_head = PackedLinear(config.vocab_size, config.hidden_size, dtype);
}

uint64_t FalconWeights::bytes() const {
  uint64_t total = embedding.bytes() + own_head.bytes();
  const auto norm_bytes = [](const NormWeights& norm) { return (norm.weight.size() + norm.bias.size()) * sizeof(float); };
  const auto linear_bytes = [](const BiasedLinear& l) { return l.weight.bytes() + l.bias.size() * sizeof(float); };
  for (const LayerWeights& layer : layers) {
    total += norm_bytes(layer.attention_norm) + norm_bytes(layer.mlp_norm) + linear_bytes(layer.qkv) + linear_bytes(layer.dense) +
             linear_bytes(layer.up) + linear_bytes(layer.down);
  }
  return total + norm_bytes(final_norm);
}

}  // namespace eyrie
