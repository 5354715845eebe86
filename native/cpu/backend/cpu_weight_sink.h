#pragma once
// Loading into the packed matrices of the CPU's kernels.

#include <atomic>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "cpu/backend/falcon_weights.h"
#include "cpu/compute.h"
#include "cpu/huge_buffer.h"
#include "model/load_falcon.h"
#include "model/weight_sink.h"

namespace eyrie {

/// Packs rows on the pool while they are put; one thread reads.
class CpuWeightSink : public WeightSink {
 public:
  /// Sizes the vectors of `weights`, which must outlive the sink.
  CpuWeightSink(const FalconConfig& config, FalconWeights& weights, const Compute& compute);
  ~CpuWeightSink() override;

  MatrixTarget* embedding() override { return embedding_; }
  MatrixTarget* own_head() override { return own_head_; }
  LayerTargets layer(uint32_t index) override;
  NormTargets final_norm() override;

  std::span<std::byte> ring(size_t block_bytes, size_t blocks) override;
  int readers() const override { return 1; }
  void wait_read(const std::byte*) override {}
  void finish() override {}

 private:
  class Matrix;
  MatrixTarget* add(PackedLinear& packed);

  FalconWeights& weights_;
  const Compute compute_;
  HugeBuffer ring_;
  std::deque<Matrix> matrices_;
  MatrixTarget* embedding_ = nullptr;
  MatrixTarget* own_head_ = nullptr;
  std::vector<MatrixTarget*> of_layers_;  // qkv, dense, up, down of each layer
};

/// All of it: weights of type `dtype` from the files of `directory`. Throws what load_falcon() throws, and out_of_memory.
std::unique_ptr<FalconWeights> load_cpu_weights(const std::string& directory, const FalconConfig& config, DType dtype,
                                                const Compute& compute, const LoadProgress& on_progress,
                                                const std::atomic<bool>& cancelled);

}  // namespace eyrie
