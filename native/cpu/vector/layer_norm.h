#pragma once
#include <cstdint>

#include "cpu/compute.h"
#include "numbers/dtype.h"

namespace eyrie {

/// One affine norm of the input: y[m, hidden] = (x - mean) / sqrt(variance + eps) * weight + bias.
struct LayerNormOutput {
  const float* weight;  ///< [hidden]
  const float* bias;    ///< [hidden]
  void* y;              ///< [m, hidden]; float32 or bfloat16
};

/// Normalises each row of x [m, hidden] float32 once and writes `count` (1 or 2) affine forms of it, all of type
/// `y_dtype`: Falcon-40B feeds two norms of the same x to attention and MLP. Population variance, all in float32.
void layer_norm(const Compute& compute, const float* x, int64_t m, int64_t hidden, float eps, const LayerNormOutput* outputs, int count,
                DType y_dtype);

}  // namespace eyrie
