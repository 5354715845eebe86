#pragma once
// All weights of a Falcon decoder in the memory of one card (or one rank's share of them).

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"
#include "cuda/kernels/rows.h"
#include "model/falcon_config.h"
#include "model/weight_sink.h"

namespace eyrie::cuda {

/// [n, k] row-major; e4m3 and int8 with a scale per row.
struct Matrix {
  int64_t n = 0;
  int64_t k = 0;
  RowFormat format = RowFormat::bf16;
  void* values = nullptr;
  float* scales = nullptr;
};

struct LayerMatrices {
  Norm attention_norm, mlp_norm;  // mlp_norm.gain null: one norm serves both
  Matrix qkv, dense, up, down;
};

/// This rank's share of the heads and of the ffn; rank 0 of 1 has all.
struct RankShare {
  int rank = 0;
  int ranks = 1;
};

class Weights {
 public:
  /// Allocates; `format` is that of the layers' matrices, embedding and head are bfloat16. Throws out_of_memory.
  Weights(Device& device, const FalconConfig& config, RowFormat format, RankShare share = {});
  ~Weights();

  Matrix embedding, head;  // the same memory where the head is tied
  std::vector<LayerMatrices> layers;
  Norm final_norm;

  uint64_t bytes() const;
  /// Where a checkpoint is loaded to; lives until finish() was called. Rows are converted and quantised on the card, from a ring of
  /// pinned memory.
  std::unique_ptr<WeightSink> sink(Stream& stream);
  /// Random weights of the given seed, made on the card: for measuring speed without a checkpoint.
  void fill_random(Stream& stream, uint64_t seed);
  static uint64_t bytes_needed(const FalconConfig& config, RowFormat format, RankShare share = {});

 private:
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace eyrie::cuda
