#include "gpu/sweep/decode_cost.h"

#include <algorithm>

namespace eyrie::gpu {

DecodeCost decode_cost(const FalconConfig& c, int weight_bytes, double rows, double context) {
  const double hidden = c.hidden_size;
  const double layer_weights = c.layers * (hidden * c.qkv_size() + hidden * c.query_size() + 2.0 * hidden * c.ffn_size);
  const double head_weights = hidden * c.vocab_size;
  const double kv_bytes_per_token = 2.0 * 2.0 * c.kv_size() * c.layers;
  DecodeCost cost;
  cost.bytes = layer_weights * weight_bytes + head_weights * 2 + rows * context * kv_bytes_per_token;
  cost.layer_flops = 2 * layer_weights * rows;
  cost.head_flops = 2 * head_weights * rows;
  return cost;
}

double roofline_ms(const DecodeCost& cost, const CardLimits& limits) {
  if (limits.read_gbs <= 0 || limits.layer_tflops <= 0 || limits.bf16_tflops <= 0) return 0;
  const double read_ms = cost.bytes / (limits.read_gbs * 1e6);
  const double math_ms = cost.layer_flops / (limits.layer_tflops * 1e9) + cost.head_flops / (limits.bf16_tflops * 1e9);
  return std::max(read_ms, math_ms);
}

}  // namespace eyrie::gpu
