#pragma once
// Which bytes of a checkpoint go where: every tensor the config calls for, matched by name and shape, and nothing left over.

#include <cstdint>
#include <vector>

#include "cpu/backend/falcon_weights.h"
#include "io/checkpoint.h"
#include "model/falcon_config.h"

namespace eyrie {

/// Rows [source_row, source_row + rows) of a matrix, to be packed as rows [target_row, target_row + rows).
struct MatrixPart {
  const TensorInfo* tensor = nullptr;
  PackedLinear* target = nullptr;
  int64_t source_row = 0;
  int64_t target_row = 0;
  int64_t rows = 0;
  /// Of a matrix stored in 8 bits: the scales of all its rows. Else null.
  const TensorInfo* scales = nullptr;
};

/// `count` values from `source` on, to be stored as float32 from `target` on.
struct VectorPart {
  const TensorInfo* tensor = nullptr;
  float* target = nullptr;
  int64_t source = 0;
  int64_t count = 0;
};

struct WeightPlan {
  std::vector<MatrixPart> matrices;
  std::vector<VectorPart> vectors;
  /// Linear biases in a checkpoint whose config has none: they must be zero.
  std::vector<const TensorInfo*> zeros;
};

/// Sizes the vectors of `weights` and points into it; both arguments must outlive the plan. Throws model_invalid as
/// match_falcon_tensors() does, and invalid_request for 8-bit weights that should be loaded as another type.
WeightPlan plan_weights(const Checkpoint& checkpoint, const FalconConfig& config, FalconWeights& weights);

}  // namespace eyrie
