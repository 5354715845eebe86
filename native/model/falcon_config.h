#pragma once
// Shape of a Falcon decoder, all config aliases resolved. Mirrors NativeModelConfig of native-types.ts, in its order.
//
// A part of a model, neighbouring layers of it, is a config of its own: all that is sized, loaded and computed by it is that part's. The
// first part begins with the embedding, the last one ends with final norm and head.

#include <cstdint>

namespace eyrie {

struct FalconConfig {
  uint32_t layers = 0;       ///< of the part
  uint32_t hidden_size = 0;  ///< query_heads * head_dim
  uint32_t query_heads = 0;
  uint32_t kv_heads = 0;  ///< divides query_heads
  uint32_t head_dim = 0;
  uint32_t ffn_size = 0;
  uint32_t vocab_size = 0;
  uint32_t context_tokens = 0;
  float layer_norm_epsilon = 1e-5f;
  float rope_theta = 10000.0f;
  bool parallel_attention = true;
  uint32_t norms_per_layer = 2;  ///< 1 only with parallel_attention
  bool linear_bias = false;
  bool alibi = false;
  bool tied_head = true;
  uint32_t first_layer = 0;   ///< of the part, counted in the model
  uint32_t model_layers = 0;  ///< 0: this is the whole model

  uint32_t query_size() const { return query_heads * head_dim; }
  uint32_t kv_size() const { return kv_heads * head_dim; }
  /// Rows of the fused projection: all queries, all keys, all values.
  uint32_t qkv_size() const { return query_size() + 2 * kv_size(); }

  bool begins() const { return first_layer == 0; }
  bool ends() const { return model_layers == 0 || first_layer + layers == model_layers; }
  /// Layers [first, first + count) of this model, which is whole.
  FalconConfig part(uint32_t first, uint32_t count) const {
    FalconConfig part = *this;
    part.layers = count;
    part.first_layer = first;
    part.model_layers = layers;
    return part;
  }
  /// The model that this is a part of.
  FalconConfig whole() const {
    FalconConfig model = *this;
    if (model_layers != 0) model.layers = model_layers;
    model.first_layer = model.model_layers = 0;
    return model;
  }
};

/// Throws model_invalid naming the field, its value and what is allowed.
void check_falcon_config(const FalconConfig& config);

}  // namespace eyrie
