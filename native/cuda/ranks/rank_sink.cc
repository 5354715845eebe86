#include "cuda/ranks/rank_sink.h"

#include <algorithm>
#include <cstring>

#include "io/tensor_info.h"

namespace eyrie::cuda {

/// A matrix whose parts lie on all ranks.
class RankSink::Matrix : public MatrixTarget {
 public:
  Matrix(RankSink& sink, std::vector<MatrixTarget*> parts) : sink_(sink), parts_(std::move(parts)) {}

  int64_t n() const override { return parts_.front()->n(); }
  int64_t k() const override { return parts_.front()->k(); }
  DType dtype() const override { return parts_.front()->dtype(); }
  bool takes_stored(TensorDtype type) const override { return parts_.front()->takes_stored(type); }

  /// The rows lie in the ring of rank 0. A rank's card copies from its own: they are copied there first, to the same place, which is free
  /// when that of rank 0 is (wait_read()).
  void put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) override {
    const auto bytes = static_cast<size_t>(count * k()) * dtype_bytes(type);
    const std::byte* const begin = sink_.ranks_.front().ring.data();
    for (size_t rank = 0; rank < parts_.size(); ++rank) {
      Rank& to = sink_.ranks_[rank];
      std::byte* const own = to.ring.data() + (rows - begin);
      if (rank > 0) std::memcpy(own, rows, bytes);
      to.backend->device().make_current();
      parts_[rank]->put_rows(first, count, own, type, scales);
    }
  }

  uint64_t nonfinite() const override {
    uint64_t count = 0;
    for (const MatrixTarget* part : parts_) count += part->nonfinite();
    return count;
  }

 private:
  RankSink& sink_;
  std::vector<MatrixTarget*> parts_;
};

RankSink::RankSink(const std::vector<CudaBackend*>& ranks) {
  for (CudaBackend* backend : ranks) {
    backend->device().make_current();
    ranks_.push_back({backend, backend->weights().sink(backend->stream()), {}});
  }
}

RankSink::~RankSink() = default;

MatrixTarget* RankSink::add(std::vector<MatrixTarget*> parts) {
  return parts.front() == nullptr ? nullptr : &matrices_.emplace_back(*this, std::move(parts));
}

NormTargets RankSink::add(const std::vector<NormTargets>& parts) {
  for (size_t rank = 1; rank < parts.size(); ++rank) {
    copies_.push_back({parts[0].weight, parts[rank].weight});
    copies_.push_back({parts[0].bias, parts[rank].bias});
  }
  return parts[0];
}

MatrixTarget* RankSink::embedding() {
  std::vector<MatrixTarget*> parts;
  for (Rank& rank : ranks_) parts.push_back(rank.sink->embedding());
  return add(std::move(parts));
}

MatrixTarget* RankSink::own_head() {
  std::vector<MatrixTarget*> parts;
  for (Rank& rank : ranks_) parts.push_back(rank.sink->own_head());
  return add(std::move(parts));
}

LayerTargets RankSink::layer(uint32_t index) {
  std::vector<LayerTargets> layers;
  for (Rank& rank : ranks_) layers.push_back(rank.sink->layer(index));
  const auto norm = [&](auto member) {
    std::vector<NormTargets> parts;
    for (const LayerTargets& layer : layers) parts.push_back(layer.*member);
    return add(parts);
  };
  const auto linear = [&](auto member) {
    std::vector<MatrixTarget*> parts;
    for (const LayerTargets& layer : layers) parts.push_back((layer.*member).weight);
    return LinearTarget{add(std::move(parts)), {}};
  };
  return {norm(&LayerTargets::attention_norm), norm(&LayerTargets::mlp_norm), linear(&LayerTargets::qkv),
          linear(&LayerTargets::dense),        linear(&LayerTargets::up),     linear(&LayerTargets::down)};
}

NormTargets RankSink::final_norm() {
  std::vector<NormTargets> parts;
  for (Rank& rank : ranks_) parts.push_back(rank.sink->final_norm());
  return add(parts);
}

std::span<std::byte> RankSink::ring(size_t block_bytes, size_t blocks) {
  for (Rank& rank : ranks_) {
    rank.backend->device().make_current();
    rank.ring = rank.sink->ring(block_bytes, blocks);
  }
  return ranks_.front().ring;
}

int RankSink::readers() const { return ranks_.front().sink->readers(); }

void RankSink::wait_read(const std::byte* block) {
  const std::ptrdiff_t offset = block - ranks_.front().ring.data();
  for (Rank& rank : ranks_) rank.sink->wait_read(rank.ring.data() + offset);
}

void RankSink::finish() {
  for (const Copy& copy : copies_) std::copy(copy.from.begin(), copy.from.end(), copy.to.begin());
  for (Rank& rank : ranks_) {
    rank.backend->device().make_current();
    rank.sink->finish();
  }
}

}  // namespace eyrie::cuda
