// Loading: reader threads fill the blocks of a pinned ring, the loading thread copies the rows of each to a block on the card and starts
// the kernel that puts them in their place; the next copy follows in the same stream. So copies overlap with reading, and kernels with
// neither: they are 4 % of the copies' time (kernels/weights.cu), which two streams and two blocks would save.
//
// Sizes: blocks of 32 MiB make what happens once per block (about 10 us of launches) 2 % of the 600 us that PCIe 5 takes for one. A
// thread copies 5 to 10 GB/s out of the page cache, a link takes 25 to 55 GB/s: hence up to eight readers, as many as half of the CPUs.

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <thread>

#include "cuda/kernels/weights.h"
#include "cuda/weights_memory.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr int kReadersMax = 8;

RowFormat stored_format(TensorDtype type) { return type == TensorDtype::i8 ? RowFormat::int8 : RowFormat::e4m3; }

}  // namespace

class CardSink;

/// One matrix, or the rank's part of it.
class CardMatrix : public MatrixTarget {
 public:
  CardMatrix(CardSink& sink, const Matrix& matrix, MatrixShare share, size_t number)
      : sink_(sink), matrix_(matrix), share_(std::move(share)), number_(number) {}

  int64_t n() const override { return share_.n; }
  int64_t k() const override { return share_.k; }
  DType dtype() const override {
    return matrix_.format == RowFormat::bf16 ? DType::bfloat16 : matrix_.format == RowFormat::int8 ? DType::int8 : DType::fp8;
  }
  bool takes_stored(TensorDtype type) const override { return matrix_.format == RowFormat::bf16 || matrix_.format == stored_format(type); }
  void put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) override;
  uint64_t nonfinite() const override;

 private:
  CardSink& sink_;
  Matrix matrix_;
  MatrixShare share_;
  size_t number_;
};

class CardSink : public WeightSink {
 public:
  CardSink(Weights& weights, Stream& stream);
  ~CardSink() override;

  MatrixTarget* embedding() override { return embedding_; }
  MatrixTarget* own_head() override { return own_head_; }
  LayerTargets layer(uint32_t index) override;
  NormTargets final_norm() override { return targets(weights_.final_norm); }
  std::span<std::byte> ring(size_t block_bytes, size_t blocks) override;
  int readers() const override { return std::clamp(static_cast<int>(std::thread::hardware_concurrency() / 2), 1, kReadersMax); }
  void wait_read(const std::byte* block) override;
  void finish() override;

 private:
  friend class CardMatrix;

  NormTargets targets(const Norm& norm);
  size_t block_of(const std::byte* rows) const { return static_cast<size_t>(rows - ring_.as<std::byte>()) / block_bytes_; }

  Weights& weights_;
  Weights::Memory& memory_;
  Stream& stream_;
  std::deque<CardMatrix> matrices_;
  MatrixTarget* embedding_ = nullptr;
  MatrixTarget* own_head_ = nullptr;
  std::vector<MatrixTarget*> of_layers_;  // qkv, dense, up, down of each layer
  std::vector<float> vectors_;            // what memory_.vectors will hold
  DeviceBuffer nonfinite_;                // [matrices] uint32
  std::vector<uint32_t> counted_;         // what it held at finish()
  size_t block_bytes_ = 0;
  PinnedBuffer ring_;
  std::vector<Event> read_;                     // [blocks] passed when the block's rows are on the card
  DeviceBuffer staging_;                        // [block_bytes] rows on the card, before they are converted
  DeviceBuffer staged_scales_;                  // [n of the tallest matrix], of rows that are widened
  std::deque<std::vector<float>> kept_scales_;  // of stored rows, until they have been copied: a few MiB in all
};

CardSink::CardSink(Weights& weights, Stream& stream)
    : weights_(weights), memory_(*weights.memory_), stream_(stream), vectors_(memory_.vectors.size() / sizeof(float)) {
  const auto add = [&](const Matrix& matrix, const MatrixShare& share) {
    return &matrices_.emplace_back(*this, matrix, share, matrices_.size());
  };
  const LayerShares shares = layer_shares(memory_.config, memory_.share);
  const MatrixShare vocabulary = whole_vocabulary(memory_.config);
  if (weights.embedding.values != nullptr) embedding_ = add(weights.embedding, vocabulary);
  if (weights.head.values != nullptr && weights.head.values != weights.embedding.values) own_head_ = add(weights.head, vocabulary);
  for (const LayerMatrices& layer : weights.layers) {
    of_layers_.push_back(add(layer.qkv, shares.qkv));
    of_layers_.push_back(add(layer.dense, shares.dense));
    of_layers_.push_back(add(layer.up, shares.up));
    of_layers_.push_back(add(layer.down, shares.down));
  }
  counted_.resize(matrices_.size());
  nonfinite_ = memory_.device.alloc(matrices_.size() * sizeof(uint32_t));
  int64_t tallest = 0;
  for (const CardMatrix& matrix : matrices_) tallest = std::max(tallest, matrix.n());
  staged_scales_ = memory_.device.alloc(static_cast<size_t>(tallest) * sizeof(float));
  stream_.fill(nonfinite_.data(), 0, nonfinite_.size());
}

/// What a failed load has started still reads the ring and the scales.
CardSink::~CardSink() {
  try {
    stream_.synchronize();
  } catch (const Error&) {
    // The load failed with this error, or the next use of the card does.
  }
}

NormTargets CardSink::targets(const Norm& norm) {
  if (norm.gain == nullptr) return {};
  const auto* const device = memory_.vectors.as<float>();
  const size_t hidden = memory_.config.hidden_size;
  return {{vectors_.data() + (norm.gain - device), hidden}, {vectors_.data() + (norm.bias - device), hidden}};
}

LayerTargets CardSink::layer(uint32_t index) {
  MatrixTarget* const* const matrices = of_layers_.data() + size_t{4} * index;
  const LayerMatrices& layer = weights_.layers[index];
  return {
      targets(layer.attention_norm), targets(layer.mlp_norm), {matrices[0], {}}, {matrices[1], {}}, {matrices[2], {}}, {matrices[3], {}}};
}

std::span<std::byte> CardSink::ring(size_t block_bytes, size_t blocks) {
  block_bytes_ = block_bytes;
  ring_ = memory_.device.alloc_pinned(block_bytes * blocks);
  staging_ = memory_.device.alloc(block_bytes);
  for (size_t block = 0; block < blocks; ++block) read_.emplace_back(memory_.device);
  return {ring_.as<std::byte>(), ring_.size()};
}

void CardSink::wait_read(const std::byte* block) {
  memory_.device.make_current();
  read_[block_of(block)].synchronize();
}

void CardMatrix::put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) {
  Stream& stream = sink_.stream_;
  const int64_t row_bytes = share_.k * static_cast<int64_t>(dtype_bytes(type));
  const int64_t kept_row_bytes = matrix_.k * (matrix_.format == RowFormat::bf16 ? 2 : 1);
  for (const KeptRows& part : share_.rows) {
    const int64_t begin = std::max(first, part.first), end = std::min(first + count, part.first + part.count);
    if (begin >= end) continue;
    const int64_t row = part.kept + begin - part.first;
    SourceRows source{sink_.staging_.data(), type, nullptr, end - begin, share_.k, share_.first_column, share_.columns};
    const RowsOut out{matrix_.format, static_cast<std::byte*>(matrix_.values) + row * kept_row_bytes,
                      matrix_.scales == nullptr ? nullptr : matrix_.scales + row};
    stream.copy_to_device(sink_.staging_.data(), rows + (begin - first) * row_bytes, static_cast<size_t>(source.rows * row_bytes));
    if (scales != nullptr) {
      const std::vector<float>& kept = sink_.kept_scales_.emplace_back(scales + (begin - first), scales + (end - first));
      float* const to = matrix_.format == RowFormat::bf16 ? sink_.staged_scales_.as<float>() : out.scales;
      stream.copy_to_device(to, kept.data(), kept.size() * sizeof(float));
      source.scales = to;
    }
    cuda::put_rows(stream, source, out, sink_.nonfinite_.as<uint32_t>() + number_);
  }
  stream.record(sink_.read_[sink_.block_of(rows)]);
}

uint64_t CardMatrix::nonfinite() const { return sink_.counted_[number_]; }

void CardSink::finish() {
  stream_.copy_to_device(memory_.vectors.data(), vectors_.data(), memory_.vectors.size());
  stream_.copy_to_host(counted_.data(), nonfinite_.data(), nonfinite_.size());
  stream_.synchronize();
  staging_ = {};
  ring_ = {};
  kept_scales_.clear();
}

std::unique_ptr<WeightSink> Weights::sink(Stream& stream) { return std::make_unique<CardSink>(*this, stream); }

}  // namespace eyrie::cuda
