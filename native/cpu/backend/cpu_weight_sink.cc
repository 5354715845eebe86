#include "cpu/backend/cpu_weight_sink.h"

#include <algorithm>
#include <array>

#include "error.h"
#include "numbers/float8.h"

namespace eyrie {

namespace {

/// Values that are widened at a time: 8 MiB of floats.
constexpr int64_t kWidenedValues = 2 << 20;

DType source_dtype(TensorDtype dtype) {
  switch (dtype) {
    case TensorDtype::bf16: return DType::bfloat16;
    case TensorDtype::f16: return DType::float16;
    case TensorDtype::f32: return DType::float32;
    default: throw Error(ErrorCode::internal_error, std::string("rows of type ") + dtype_name(dtype) + " were put into a matrix");
  }
}

std::array<float, 256> values_of_e4m3() {
  std::array<float, 256> values{};
  for (size_t code = 0; code < values.size(); ++code) values[code] = to_float(e4m3{static_cast<uint8_t>(code)});
  return values;
}

}  // namespace

class CpuWeightSink::Matrix : public MatrixTarget {
 public:
  Matrix(PackedLinear& packed, const Compute& compute) : packed_(packed), compute_(compute) {}

  int64_t n() const override { return packed_.n(); }
  int64_t k() const override { return packed_.k(); }
  DType dtype() const override { return packed_.dtype(); }
  /// FP8 has no kernel on a CPU: it is widened, which serves to compare. Not to int8: that would round twice.
  bool takes_stored(TensorDtype type) const override { return (packed_.dtype() == DType::int8) == (type == TensorDtype::i8); }
  void put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) override {
    if (type == TensorDtype::i8) {
      packed_.pack_quantised_rows(compute_, first, count, reinterpret_cast<const int8_t*>(rows), scales);
    } else if (type == TensorDtype::f8_e4m3) {
      put_widened(first, count, reinterpret_cast<const uint8_t*>(rows), scales);
    } else {
      nonfinite_ += packed_.pack_rows(compute_, first, count, rows, source_dtype(type)).nonfinite;
    }
  }
  uint64_t nonfinite() const override { return nonfinite_; }

 private:
  void put_widened(int64_t first, int64_t count, const uint8_t* codes, const float* scales);

  PackedLinear& packed_;
  const Compute& compute_;
  uint64_t nonfinite_ = 0;
};

void CpuWeightSink::Matrix::put_widened(int64_t first, int64_t count, const uint8_t* codes, const float* scales) {
  static const std::array<float, 256> kValues = values_of_e4m3();
  const int64_t k = packed_.k(), step = std::max<int64_t>(1, kWidenedValues / k / PackedLinear::kPanel) * PackedLinear::kPanel;
  std::vector<float> values(static_cast<size_t>(std::min(step, count) * k));
  for (int64_t done = 0; done < count; done += step) {
    const int64_t rows = std::min(step, count - done);
    compute_.pool->parallel_for(rows, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; ++row) {
        const uint8_t* const from = codes + (done + row) * k;
        float* const to = values.data() + row * k;
        for (int64_t i = 0; i < k; ++i) to[i] = kValues[from[i]] * scales[done + row];
      }
    });
    nonfinite_ += packed_.pack_rows(compute_, first + done, rows, values.data(), DType::float32).nonfinite;
  }
}

CpuWeightSink::CpuWeightSink(const FalconConfig& config, FalconWeights& weights, const Compute& compute)
    : weights_(weights), compute_(compute) {
  const auto size_norm = [&](NormWeights& norm) {
    norm.weight.resize(config.hidden_size);
    norm.bias.resize(config.hidden_size);
  };
  const auto add_linear = [&](BiasedLinear& linear) {
    of_layers_.push_back(add(linear.weight));
    if (config.linear_bias) linear.bias.resize(static_cast<size_t>(linear.weight.n()));
  };
  if (weights.embedding.n() > 0) embedding_ = add(weights.embedding);
  if (weights.own_head.n() > 0) own_head_ = add(weights.own_head);
  for (LayerWeights& layer : weights.layers) {
    size_norm(layer.attention_norm);
    if (config.norms_per_layer == 2) size_norm(layer.mlp_norm);
    for (BiasedLinear* linear : {&layer.qkv, &layer.dense, &layer.up, &layer.down}) add_linear(*linear);
  }
  size_norm(weights.final_norm);
}

CpuWeightSink::~CpuWeightSink() = default;

MatrixTarget* CpuWeightSink::add(PackedLinear& packed) { return &matrices_.emplace_back(packed, compute_); }

LayerTargets CpuWeightSink::layer(uint32_t index) {
  const size_t first = size_t{4} * index;
  LayerWeights& layer = weights_.layers[index];
  return {{layer.attention_norm.weight, layer.attention_norm.bias},
          {layer.mlp_norm.weight, layer.mlp_norm.bias},
          {of_layers_[first], layer.qkv.bias},
          {of_layers_[first + 1], layer.dense.bias},
          {of_layers_[first + 2], layer.up.bias},
          {of_layers_[first + 3], layer.down.bias}};
}

NormTargets CpuWeightSink::final_norm() { return {weights_.final_norm.weight, weights_.final_norm.bias}; }

std::span<std::byte> CpuWeightSink::ring(size_t block_bytes, size_t blocks) {
  ring_ = HugeBuffer(block_bytes * blocks);
  return {ring_.as<std::byte>(), ring_.size()};
}

std::unique_ptr<FalconWeights> load_cpu_weights(const std::string& directory, const FalconConfig& config, DType dtype,
                                                const Compute& compute, const LoadProgress& on_progress,
                                                const std::atomic<bool>& cancelled) {
  auto weights = std::make_unique<FalconWeights>(config, dtype);
  CpuWeightSink sink(config, *weights, compute);
  load_falcon(directory, config, sink, on_progress, cancelled);
  return weights;
}

}  // namespace eyrie
