#pragma once
// What a decode step must move and compute at least, and the time that the limits of a card allow for it.

#include <cstdint>

#include "model/falcon_config.h"

namespace eyrie::gpu {

struct DecodeCost {
  double bytes = 0;        ///< weights once, keys and values of all rows once
  double layer_flops = 0;  ///< matrix products of the layers, in the type of their weights
  double head_flops = 0;   ///< of the head, in bfloat16
};

/// `rows` sequences of `context` tokens each. `weight_bytes`: of one weight of the layers; embedding and head are bfloat16.
DecodeCost decode_cost(const FalconConfig& config, int weight_bytes, double rows, double context);

/// Measured in the same run as what is compared with them; 0: unknown.
struct CardLimits {
  double read_gbs = 0;
  double layer_tflops = 0;  ///< of the type of the layers' weights
  double bf16_tflops = 0;
};

/// Reading and arithmetic overlapped perfectly; 0 where a limit is unknown.
double roofline_ms(const DecodeCost& cost, const CardLimits& limits);

}  // namespace eyrie::gpu
