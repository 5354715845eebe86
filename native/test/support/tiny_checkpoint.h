#pragma once
// Seeded random checkpoints of every Falcon form, written as safetensors.

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "model/falcon_config.h"
#include "test/support/temporary_file.h"
#include "test/support/zip_builder.h"

namespace eyrie::test {

/// 40B form with sizes that all differ.
inline FalconConfig tiny_config() {
  FalconConfig config;
  config.layers = 2;
  config.hidden_size = 48;
  config.query_heads = 6;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.ffn_size = 80;
  config.vocab_size = 97;
  config.context_tokens = 512;
  return config;
}

inline FalconConfig tiny_7b_config() {
  FalconConfig config = tiny_config();
  config.kv_heads = 1;
  config.norms_per_layer = 1;
  return config;
}

inline FalconConfig tiny_rw_config() {
  FalconConfig config = tiny_config();
  config.kv_heads = config.query_heads;
  config.parallel_attention = false;
  config.linear_bias = true;
  config.alibi = true;
  return config;
}

struct FloatTensor {
  std::vector<uint64_t> shape;
  std::vector<float> values;
};

using FloatTensors = std::map<std::string, FloatTensor>;

inline FloatTensors tiny_tensors(const FalconConfig& config, uint32_t seed = 1) {
  std::mt19937 random(seed);
  FloatTensors tensors;
  const auto noise = [&](const std::string& name, std::vector<uint64_t> shape, float center, float spread) {
    uint64_t count = 1;
    for (const uint64_t size : shape) count *= size;
    FloatTensor tensor{std::move(shape), std::vector<float>(count)};
    // Not a standard distribution: those differ between libraries.
    for (float& value : tensor.values) value = center + (static_cast<float>(random() >> 8) * 0x1p-24f - 0.5f) * spread;
    tensors[name] = std::move(tensor);
  };
  const auto norm = [&](const std::string& name) {
    noise(name + ".weight", {config.hidden_size}, 1, 0.5f);
    noise(name + ".bias", {config.hidden_size}, 0, 0.5f);
  };
  const auto linear = [&](const std::string& name, uint64_t rows, uint64_t columns) {
    noise(name + ".weight", {rows, columns}, 0, 4 / std::sqrt(static_cast<float>(columns)));
    if (config.linear_bias) noise(name + ".bias", {rows}, 0, 0.5f);
  };
  noise("transformer.word_embeddings.weight", {config.vocab_size, config.hidden_size}, 0, 1.2f);
  for (uint32_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "transformer.h." + std::to_string(layer) + ".";
    if (!config.parallel_attention) {
      norm(prefix + "input_layernorm");
      norm(prefix + "post_attention_layernorm");
    } else if (config.norms_per_layer == 2) {
      norm(prefix + "ln_attn");
      norm(prefix + "ln_mlp");
    } else {
      norm(prefix + "input_layernorm");
    }
    linear(prefix + "self_attention.query_key_value", config.qkv_size(), config.hidden_size);
    linear(prefix + "self_attention.dense", config.hidden_size, config.query_size());
    linear(prefix + "mlp.dense_h_to_4h", config.ffn_size, config.hidden_size);
    linear(prefix + "mlp.dense_4h_to_h", config.hidden_size, config.ffn_size);
  }
  norm("transformer.ln_f");
  if (!config.tied_head) noise("lm_head.weight", {config.vocab_size, config.hidden_size}, 0, 1.2f);
  return tensors;
}

inline std::string safetensors_bytes(const FloatTensors& tensors) {
  std::string header = "{";
  std::string data;
  for (const auto& [name, tensor] : tensors) {
    const size_t begin = data.size();
    data.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
    if (header.size() > 1) header += ",";
    header += "\"" + name + "\":{\"dtype\":\"F32\",\"shape\":[";
    for (size_t i = 0; i < tensor.shape.size(); ++i) {
      if (i > 0) header += ',';
      header += std::to_string(tensor.shape[i]);
    }
    header += "],\"data_offsets\":[";
    header += std::to_string(begin);
    header += ',';
    header += std::to_string(data.size());
    header += "]}";
  }
  header += "}";
  std::string file;
  append_number(file, header.size(), 8);
  return file + header + data;
}

inline void write_checkpoint(const TemporaryFolder& folder, const FloatTensors& tensors) {
  folder.write("model.safetensors", safetensors_bytes(tensors));
}
inline void write_checkpoint(const TemporaryFolder& folder, const FalconConfig& config) { write_checkpoint(folder, tiny_tensors(config)); }

}  // namespace eyrie::test
