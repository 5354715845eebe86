#include "model/falcon_config.h"

#include <cmath>
#include <string>

#include "error.h"

namespace eyrie {

namespace {

// Generous multiples of the largest published Falcon (180B), so that sizes stay far from overflow.
constexpr uint32_t kLayersMax = 1024;
constexpr uint32_t kWidthMax = 1u << 18;
constexpr uint32_t kHeadsMax = 4096;
constexpr uint32_t kHeadDimMax = 256;
constexpr uint32_t kVocabularyMax = 1u << 20;
constexpr uint32_t kContextMax = 1u << 20;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::model_invalid, "config: " + message); }

void check_range(const char* field, uint32_t value, uint32_t max) {
  if (value < 1 || value > max) {
    refuse(std::string(field) + " is " + std::to_string(value) + ", must be from 1 to " + std::to_string(max));
  }
}

}  // namespace

void check_falcon_config(const FalconConfig& config) {
  check_range("layers", config.layers, kLayersMax);
  check_range("hiddenSize", config.hidden_size, kWidthMax);
  check_range("queryHeads", config.query_heads, kHeadsMax);
  check_range("kvHeads", config.kv_heads, config.query_heads);
  check_range("headDim", config.head_dim, kHeadDimMax);
  check_range("ffnSize", config.ffn_size, kWidthMax);
  check_range("vocabSize", config.vocab_size, kVocabularyMax);
  check_range("contextTokens", config.context_tokens, kContextMax);
  if (config.query_heads % config.kv_heads != 0) {
    refuse("queryHeads " + std::to_string(config.query_heads) + " must be a multiple of kvHeads " + std::to_string(config.kv_heads));
  }
  if (config.query_size() != config.hidden_size) {
    refuse("hiddenSize " + std::to_string(config.hidden_size) + " must be queryHeads x headDim = " + std::to_string(config.query_size()));
  }
  if (config.head_dim % 2 != 0) refuse("headDim " + std::to_string(config.head_dim) + " must be even");
  if (!(config.layer_norm_epsilon > 0 && config.layer_norm_epsilon < 1)) {
    refuse("layerNormEpsilon must lie between 0 and 1");
  }
  if (!(config.rope_theta > 1 && std::isfinite(config.rope_theta))) refuse("ropeTheta must be a number above 1");
  if (config.norms_per_layer != 2 && !(config.norms_per_layer == 1 && config.parallel_attention)) {
    refuse("normsPerLayer is " + std::to_string(config.norms_per_layer) + ", must be 2, or 1 with parallelAttention");
  }
}

}  // namespace eyrie
