#pragma once
// What is behind Weights: its buffers, and what each matrix holds of the model's.

#include <cstdint>
#include <vector>

#include "cuda/weights.h"

namespace eyrie::cuda {

struct Weights::Memory {
  const Device& device;
  FalconConfig config;
  LayerFormats formats;
  RankShare share;
  std::vector<DeviceBuffer> matrices;
  DeviceBuffer scales;   // of all matrices in 8 bits
  DeviceBuffer vectors;  // gains and biases of all norms
};

/// `count` rows of the model's matrix from `first` on, kept from row `kept` on.
struct KeptRows {
  int64_t first = 0;
  int64_t count = 0;
  int64_t kept = 0;
};

/// A matrix [n, k] of the model and what a rank has of it: some rows, and the columns [first_column, first_column + columns).
struct MatrixShare {
  int64_t n = 0;
  int64_t k = 0;
  std::vector<KeptRows> rows;
  int64_t first_column = 0;
  int64_t columns = 0;

  int64_t row_count() const {
    int64_t count = 0;
    for (const KeptRows& part : rows) count += part.count;
    return count;
  }
};

struct LayerShares {
  MatrixShare qkv, dense, up, down;
};

LayerShares layer_shares(const FalconConfig& config, RankShare share);
/// Of the embedding and the head.
MatrixShare whole_vocabulary(const FalconConfig& config);

}  // namespace eyrie::cuda
