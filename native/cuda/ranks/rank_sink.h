#pragma once
// Loads one checkpoint to several ranks: every row goes to each, which keeps its part.

#include <deque>
#include <memory>
#include <vector>

#include "cuda/cuda_backend.h"
#include "model/weight_sink.h"

namespace eyrie::cuda {

class RankSink : public WeightSink {
 public:
  /// The backends must outlive the sink.
  explicit RankSink(const std::vector<CudaBackend*>& ranks);
  ~RankSink() override;

  MatrixTarget* embedding() override;
  MatrixTarget* own_head() override;
  LayerTargets layer(uint32_t index) override;
  NormTargets final_norm() override;
  std::span<std::byte> ring(size_t block_bytes, size_t blocks) override;
  int readers() const override;
  void wait_read(const std::byte* block) override;
  void finish() override;

 private:
  class Matrix;
  /// Vectors are read into those of rank 0; the others get theirs at finish().
  struct Copy {
    std::span<const float> from;
    std::span<float> to;
  };
  struct Rank {
    CudaBackend* backend;
    std::unique_ptr<WeightSink> sink;
    std::span<std::byte> ring;
  };

  /// Null where a rank's part is: all ranks have the same matrices.
  MatrixTarget* add(std::vector<MatrixTarget*> parts);
  NormTargets add(const std::vector<NormTargets>& parts);

  std::vector<Rank> ranks_;
  std::deque<Matrix> matrices_;
  std::vector<Copy> copies_;
};

}  // namespace eyrie::cuda
