#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>

#include "cpu/vector/vector_kernels.h"
#include "cuda/weights.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/rows/rows_input.h"
#include "gpu/forms.h"
#include "numbers/row_scale.h"

namespace eyrie::gpu {

namespace {

using cuda::RowFormat;

struct Source {
  TensorDtype type;
  DType dtype;
  const char* name;
};
constexpr Source kSources[] = {{TensorDtype::f32, DType::float32, " from f32"},
                               {TensorDtype::bf16, DType::bfloat16, " from bf16"},
                               {TensorDtype::f16, DType::float16, " from f16"}};

/// Rows [n, k] as a file has them, and their values.
struct SourceMatrix {
  SourceMatrix(const Source& source, int64_t n, int64_t k, uint64_t seed) : bytes(static_cast<size_t>(n * k) * dtype_bytes(source.dtype)) {
    values = normal_values(n * k, seed, 0.05f);
    for (int64_t i = 0; i < k; ++i) values[static_cast<size_t>(k + i)] = 0.0f;  // a row of zeros
    values[static_cast<size_t>(2 * k + 1)] = 3.0f;                              // a hot value
    if (source.type == TensorDtype::f32) {
      std::memcpy(bytes.data(), values.data(), bytes.size());
    } else {
      // Of float16 any bits that are small numbers: sign, exponent below that of 1, fraction.
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t bits = source.type == TensorDtype::bf16 ? to_bf16(values[i]).bits : static_cast<uint16_t>(mixed(seed + i) & 0xbbffu);
        std::memcpy(bytes.data() + 2 * i, &bits, 2);
      }
    }
    vector_kernels(Isa::scalar).to_float32(bytes.data(), source.dtype, n * k, values.data());
  }
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

/// The CPU's rule: bytes of values and scales.
struct Kept {
  std::vector<uint8_t> values;
  std::vector<float> scales;
};

Kept kept_by_cpu(const std::vector<float>& values, int64_t n, int64_t k, RowFormat format) {
  const VectorKernels& vector = vector_kernels(Isa::scalar);
  Kept kept;
  kept.values.resize(values.size() * (format == RowFormat::bf16 ? 2 : 1));
  for (int64_t row = 0; row < n; ++row) {
    const float* from = values.data() + row * k;
    uint8_t* to = kept.values.data() + row * k * (format == RowFormat::bf16 ? 2 : 1);
    if (format == RowFormat::bf16) {
      vector.to_bfloat16(from, DType::float32, k, reinterpret_cast<bf16*>(to));
      continue;
    }
    uint64_t nonfinite = 0;
    const float largest = vector.max_abs(from, DType::float32, k, &nonfinite);
    if (format == RowFormat::int8) {
      kept.scales.push_back(largest / kLargestInt8);
      vector.to_int8(from, DType::float32, k, kept.scales.back(), reinterpret_cast<int8_t*>(to));
    } else {
      kept.scales.push_back(row_scale(largest, kLargestE4m3));
      for (int64_t i = 0; i < k; ++i) to[i] = to_e4m3(from[i] * reciprocal(kept.scales.back())).bits;
    }
  }
  return kept;
}

/// Through a block of the ring, in pieces of a few rows.
void put(WeightSink& sink, std::span<std::byte> block, MatrixTarget& target, const SourceMatrix& source, const Source& type) {
  const auto row_bytes = static_cast<size_t>(target.k()) * dtype_bytes(type.dtype);
  const auto rows = static_cast<int64_t>(block.size() / row_bytes);
  for (int64_t first = 0; first < target.n(); first += rows) {
    const int64_t count = std::min(rows, target.n() - first);
    std::memcpy(block.data(), source.bytes.data() + static_cast<size_t>(first) * row_bytes, static_cast<size_t>(count) * row_bytes);
    target.put_rows(first, count, block.data(), type.type, nullptr);
    sink.wait_read(block.data());
  }
}

void compare(const CheckContext& context, Reporter& reporter, const std::string& name, const cuda::Matrix& matrix,
             const SourceMatrix& source) {
  const Kept want = kept_by_cpu(source.values, matrix.n, matrix.k, matrix.format);
  reporter.equal<uint8_t>(name, on_card(context).get<uint8_t>(matrix.values, want.values.size()), want.values);
  if (matrix.scales == nullptr) return;
  reporter.equal<float>(name + " scales", on_card(context).get<float>(matrix.scales, want.scales.size()), want.scales);
}

}  // namespace

/// What the loader puts on the card from every type of file in every form: the bytes that the CPU's loader makes.
void check_weights(const CheckContext& context, Reporter& reporter) {
  FalconConfig config = form("tiny");
  config.layers = 1;
  if (context.size == CheckSize::small) {
    config.query_heads = config.kv_heads = 1;
    config.hidden_size = 64;
    config.ffn_size = 96;
    config.vocab_size = 70;
  }
  for (const Source& type : kSources) {
    for (const RowFormat format : kRowFormats) {
      cuda::Weights weights(context.device, config, format);
      const std::unique_ptr<WeightSink> sink = weights.sink(context.stream);
      const std::span<std::byte> block = sink->ring(size_t{1} << 16, 1);
      const LayerTargets layer = sink->layer(0);
      const SourceMatrix embedding(type, config.vocab_size, config.hidden_size, context.seed + 1),
          qkv(type, config.qkv_size(), config.hidden_size, context.seed + 2),
          down(type, config.hidden_size, config.ffn_size, context.seed + 3);
      put(*sink, block, *sink->embedding(), embedding, type);
      put(*sink, block, *layer.qkv.weight, qkv, type);
      put(*sink, block, *layer.down.weight, down, type);
      const std::vector<float> gain = normal_values(config.hidden_size, context.seed + 4, 1.0f);
      std::copy(gain.begin(), gain.end(), sink->final_norm().weight.begin());
      sink->finish();
      const std::string name = std::string(format_text(format)).substr(1) + type.name;
      compare(context, reporter, name + ": embedding", weights.embedding, embedding);
      compare(context, reporter, name + ": qkv", weights.layers[0].qkv, qkv);
      compare(context, reporter, name + ": down", weights.layers[0].down, down);
      reporter.equal<float>(name + ": norm", on_card(context).get<float>(weights.final_norm.gain, gain.size()), gain);
      reporter.expect(name + ": finite", layer.qkv.weight->nonfinite() == 0, "values that are finite were counted as not finite");
    }
  }
}

}  // namespace eyrie::gpu
