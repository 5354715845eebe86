#pragma once
// Which bytes of a checkpoint go where: every tensor the config calls for, matched by name and shape, and nothing left over.

#include <cstdint>
#include <vector>

#include "io/checkpoint.h"
#include "model/falcon_config.h"
#include "model/weight_sink.h"

namespace eyrie {

/// Rows [source_row, source_row + rows) of a matrix, to be put as rows [target_row, target_row + rows).
struct MatrixPart {
  MatrixTarget* target = nullptr;
  int64_t source_row = 0;
  int64_t target_row = 0;
  int64_t rows = 0;
};

/// A tensor [n, k] and where its rows go: to several places where groups are re-laid, or where two targets are made of one tensor.
struct MatrixPlan {
  const TensorInfo* tensor = nullptr;
  /// Of a matrix stored in 8 bits: the scales of all its rows. Else null.
  const TensorInfo* scales = nullptr;
  std::vector<MatrixPart> parts;
};

/// `count` values from `source` on, to be stored as float32 from `target` on.
struct VectorPart {
  const TensorInfo* tensor = nullptr;
  float* target = nullptr;
  int64_t source = 0;
  int64_t count = 0;
};

struct WeightPlan {
  /// In the order of the files.
  std::vector<MatrixPlan> matrices;
  std::vector<VectorPart> vectors;
  /// Linear biases in a checkpoint whose config has none: they must be zero.
  std::vector<const TensorInfo*> zeros;
};

/// Points into `sink`; both arguments must outlive the plan. Throws model_invalid as match_falcon_tensors() does, and invalid_request for
/// 8-bit weights that should be loaded as a type that does not take them.
WeightPlan plan_weights(const Checkpoint& checkpoint, const FalconConfig& config, WeightSink& sink);

}  // namespace eyrie
