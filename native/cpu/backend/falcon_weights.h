#pragma once
// All weights of a Falcon decoder in kernel form. H = hidden, Q = query_size, KV = kv_size, F = ffn, V = vocabulary.

#include <cstdint>
#include <vector>

#include "cpu/linear/linear.h"
#include "model/falcon_config.h"

namespace eyrie {

struct NormWeights {
  std::vector<float> weight;  ///< [H]
  std::vector<float> bias;    ///< [H]
};

struct BiasedLinear {
  PackedLinear weight;
  std::vector<float> bias;  ///< [n], empty without linear_bias

  const float* bias_or_null() const { return bias.empty() ? nullptr : bias.data(); }
};

struct LayerWeights {
  /// Before attention: ln_attn (two norms, parallel), else input_layernorm.
  NormWeights attention_norm;
  /// Before the MLP: ln_mlp (parallel) or post_attention_layernorm (sequential); empty where one norm serves both.
  NormWeights mlp_norm;
  BiasedLinear qkv;    ///< [Q + 2 KV, H]: all queries, all keys, all values (files interleave them by group)
  BiasedLinear dense;  ///< [H, Q]
  BiasedLinear up;     ///< [F, H]
  BiasedLinear down;   ///< [H, F]
};

/// Which of the two matrices of the vocabulary a model, or a part of one, has.
struct VocabularyMatrices {
  bool embedding = false;
  bool own_head = false;
};
VocabularyMatrices vocabulary_matrices(const FalconConfig& config, DType dtype);

struct FalconWeights {
  /// Reserves the packed matrices; their pages are taken when they are filled. Throws out_of_memory.
  FalconWeights(const FalconConfig& config, DType dtype);

  const PackedLinear& head() const { return own_head.n() > 0 ? own_head : embedding; }
  uint64_t bytes() const;

  /// [V, H]. Never int8: every value of the residual stream starts here, and only the rows of the step are read. Empty in a part of a
  /// model that neither begins with it nor has it for its head.
  PackedLinear embedding;
  std::vector<LayerWeights> layers;
  NormWeights final_norm;
  /// [V, H]; empty where the embedding serves as head (tied, and of the same type), and in a part without a head.
  PackedLinear own_head;
};

}  // namespace eyrie
