#include "cpu/backend/memory_plan.h"

#include <array>
#include <cstdio>
#include <string>

#include "cpu/backend/falcon_weights.h"
#include "cpu/kv/kv_cache.h"
#include "cpu/linear/linear.h"
#include "error.h"
#include "model/load_falcon.h"

namespace eyrie {

namespace {

uint64_t weight_bytes(const FalconConfig& config, DType dtype) {
  const auto packed = [](uint64_t n, uint64_t k, DType type) {
    return uint64_t{PackedLinear::packed_bytes(static_cast<int64_t>(n), static_cast<int64_t>(k), type)};
  };
  const uint64_t layer = packed(config.qkv_size(), config.hidden_size, dtype) + packed(config.hidden_size, config.query_size(), dtype) +
                         packed(config.ffn_size, config.hidden_size, dtype) + packed(config.hidden_size, config.ffn_size, dtype);
  const VocabularyMatrices has = vocabulary_matrices(config, dtype);
  uint64_t total = config.layers * layer;
  if (has.embedding) total += packed(config.vocab_size, config.hidden_size, activation_dtype(dtype));
  if (has.own_head) total += packed(config.vocab_size, config.hidden_size, dtype);
  return total;
}

uint64_t kv_cache_bytes(const FalconConfig& config, DType cache_type, uint32_t slots, uint32_t slot_tokens) {
  const AttentionShape shape{config.query_heads, config.kv_heads, config.head_dim, cache_type, 1.0f};
  const int64_t capacity = (int64_t{slot_tokens} + kKvBlock - 1) / kKvBlock * kKvBlock;
  return uint64_t{2} * config.layers * slots * kv_bytes(shape, capacity);
}

std::string gibibytes(uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f GiB", static_cast<double>(bytes) / (1u << 30));
  return text.data();
}

}  // namespace

MemoryPlan plan_memory(const FalconConfig& config, DType dtype, uint32_t slots, uint32_t slot_tokens, uint32_t rows_max,
                       uint32_t head_rows_max) {
  const DType activation = activation_dtype(dtype);
  const uint64_t act = dtype_bytes(activation);
  const uint64_t row =
      config.hidden_size * (sizeof(float) + 2 * act) + config.qkv_size() * sizeof(float) + (config.query_size() + config.ffn_size) * act;
  const uint64_t head_row = config.hidden_size * act + config.vocab_size * sizeof(float);
  MemoryPlan plan;
  plan.weights = weight_bytes(config, dtype);
  plan.kv_cache = kv_cache_bytes(config, activation, slots, slot_tokens);
  plan.buffers = rows_max * row + head_rows_max * head_row + load_ring_bytes(1);
  return plan;
}

void check_memory(const MemoryPlan& plan, uint64_t available) {
  if (plan.total() <= available) return;
  throw Error(ErrorCode::out_of_memory, "this engine needs " + gibibytes(plan.total()) + " (weights " + gibibytes(plan.weights) +
                                            ", KV cache " + gibibytes(plan.kv_cache) + ", buffers " + gibibytes(plan.buffers) + "), but " +
                                            gibibytes(available) +
                                            " are free; use fewer or shorter slots, a smaller prefill budget, or dtype int8");
}

}  // namespace eyrie
