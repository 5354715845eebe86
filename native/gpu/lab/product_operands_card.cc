#include "gpu/lab/product_operands_card.h"

#include <algorithm>
#include <cmath>

#include "cuda/kernels/numbers.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

constexpr int64_t kSharedRows = 16;  // whose bits are compared between values of m
constexpr uint64_t kWeightSeed = 11, kRowSeed = 12, kWeightScaleSeed = 13, kRowScaleSeed = 14;

/// What fill_values() made of an index.
double value_at(ValueType type, uint64_t index, uint64_t seed) {
  const float v = normal_value(index, seed);
  if (type == ValueType::bf16) return to_float(to_bf16(v));
  if (type == ValueType::e4m3) return to_float(to_e4m3(v * 64.0f));
  return std::trunc(std::fmin(127.0f, std::fmax(-127.0f, v * 32.0f)));
}

double scale_at(uint64_t index, uint64_t seed) { return 0.01f * (1.0f + 0.5f * uniform_value(index, seed)); }

}  // namespace

ProductType product_type(const std::string& name, bool head) {
  if (name == "int8") return {{CUDA_R_8I, CUDA_R_32I, false}, ValueType::int8};
  if (name == "bf16") return {{CUDA_R_16BF, head ? CUDA_R_32F : CUDA_R_16BF, false}, ValueType::bf16};
  return {{CUDA_R_8F_E4M3, CUDA_R_16BF, name == "fp8_fast"}, ValueType::e4m3};
}

ProductOperands::ProductOperands(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan)
    : stream_(stream), hash_(device.alloc(8)) {
  int64_t n_max = 0, k_max = 0, weights = 0, results = 0;
  rows_max_ = *std::max_element(plan.rows.begin(), plan.rows.end());
  for (const ProductShape& s : plan.shapes) {
    n_max = std::max(n_max, s.n);
    k_max = std::max(k_max, s.k);
    weights = std::max(weights, s.n * s.k * 2);
    results = std::max(results, s.n * (s.head ? std::min(rows_max_, kHeadRowsMax) : rows_max_) * 4);
  }
  w_ = device.alloc(static_cast<size_t>(weights));
  x_ = device.alloc(static_cast<size_t>(rows_max_ * k_max * 2));
  y_ = device.alloc(static_cast<size_t>(results));
  w_scales_ = device.alloc(static_cast<size_t>(n_max) * 4);
  x_scales_ = device.alloc(static_cast<size_t>(rows_max_) * 4);
  fill_scales(stream, w_scales_.as<float>(), n_max, kWeightScaleSeed);
  fill_scales(stream, x_scales_.as<float>(), rows_max_, kRowScaleSeed);
}

void ProductOperands::fill_weights(ValueType type) {
  fill_values(stream_, w_.data(), static_cast<int64_t>(w_.size()) / value_bytes(type), type, kWeightSeed);
}

void ProductOperands::fill_rows(const ProductShape& shape, ValueType type) {
  fill_values(stream_, x_.data(), rows_max_ * shape.k, type, kRowSeed);
}

ProductPointers ProductOperands::pointers(const ProductShape& shape, const ProductType& type, int64_t call) const {
  const int64_t bytes = shape.n * shape.k * type.types.operand_bytes();
  const int64_t copies = std::max<int64_t>(1, static_cast<int64_t>(w_.size()) / bytes);
  return {w_.as<char>() + call % copies * bytes, x_.data(), y_.data()};
}

void ProductOperands::poison_results(const ProductShape& shape, const ProductType& type, int64_t m) {
  stream_.fill(y_.data(), 0xff, static_cast<size_t>(m * shape.n * type.types.result_bytes()));
}

Sample ProductOperands::sample(const ProductShape& shape, const ProductType& type, int64_t row, int64_t channel) {
  double want = 0;
  for (int64_t at = 0; at < shape.k; ++at) {
    want += value_at(type.values, static_cast<uint64_t>(row * shape.k + at), kRowSeed) *
            value_at(type.values, static_cast<uint64_t>(channel * shape.k + at), kWeightSeed);
  }
  if (type.types.fp8()) {
    want *= scale_at(static_cast<uint64_t>(row), kRowScaleSeed) * scale_at(static_cast<uint64_t>(channel), kWeightScaleSeed);
  }
  return {row, channel, want};
}

std::vector<Sample> ProductOperands::shared_samples(const ProductShape& shape, const ProductType& type) {
  std::vector<Sample> samples{sample(shape, type, 0, 0), sample(shape, type, kSharedRows - 1, shape.n - 1)};
  for (uint64_t i = 0; i < 22; ++i) {
    samples.push_back(sample(shape, type, mixed(i) % kSharedRows, mixed(i + 1000) % shape.n));
  }
  return samples;
}

double ProductOperands::error_of(const ProductShape& shape, const ProductType& type, const std::vector<Sample>& samples) {
  double worst = 0, squares = 0;
  for (const Sample& s : samples) {
    const double off = std::abs(result_at(type, s.row * shape.n + s.channel) - s.want);
    worst = std::max(worst, std::isnan(off) ? INFINITY : off);
    squares += s.want * s.want;
  }
  return worst / std::sqrt(squares / static_cast<double>(samples.size()));
}

double ProductOperands::result_at(const ProductType& type, int64_t index) {
  uint32_t bits = 0;
  const auto bytes = static_cast<size_t>(type.types.result_bytes());
  stream_.copy_to_host(&bits, y_.as<char>() + index * type.types.result_bytes(), bytes);
  stream_.synchronize();
  if (type.types.int8()) return static_cast<int32_t>(bits);
  return bytes == 2 ? to_float(bf16{static_cast<uint16_t>(bits)}) : cuda::float_of(bits);
}

uint64_t ProductOperands::bits_of_shared_rows(const ProductShape& shape, const ProductType& type) {
  stream_.fill(hash_.data(), 0, 8);
  hash_words(stream_, y_.as<uint32_t>(), kSharedRows * shape.n * type.types.result_bytes() / 4, hash_.as<unsigned long long>());
  uint64_t bits = 0;
  stream_.copy_to_host(&bits, hash_.data(), 8);
  stream_.synchronize();
  return bits;
}

}  // namespace eyrie::gpu
