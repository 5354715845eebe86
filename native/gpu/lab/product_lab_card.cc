#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>

#include "cuda/kernels/numbers.h"
#include "error.h"
#include "gpu/json_line.h"
#include "gpu/lab/lab_kernels.h"
#include "gpu/lab/lt_product_card.h"
#include "gpu/lab/product_lab.h"
#include "gpu/lab/timer.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

constexpr int kAlgorithms = 10;
constexpr int64_t kSharedRows = 16;    // whose bits are compared between values of m
constexpr int64_t kHeadRowsMax = 512;  // no pass needs more logits
constexpr uint64_t kWeightSeed = 11, kRowSeed = 12, kWeightScaleSeed = 13, kRowScaleSeed = 14;
// Against the typical result: bf16 keeps 8 bits, and fast sums of FP8 about 14 on the way.
constexpr double kErrorMax = 0.02;

struct ProductType {
  ProductTypes types;
  ValueType values;
};

ProductType product_type(const std::string& name, bool head) {
  if (name == "int8") return {{CUDA_R_8I, CUDA_R_32I, false}, ValueType::int8};
  if (name == "bf16") return {{CUDA_R_16BF, head ? CUDA_R_32F : CUDA_R_16BF, false}, ValueType::bf16};
  return {{CUDA_R_8F_E4M3, CUDA_R_16BF, name == "fp8_fast"}, ValueType::e4m3};
}

/// What fill_values() made of an index.
double value_at(ValueType type, uint64_t index, uint64_t seed) {
  const float v = normal_value(index, seed);
  if (type == ValueType::bf16) return to_float(to_bf16(v));
  if (type == ValueType::e4m3) return to_float(to_e4m3(v * 64.0f));
  return std::trunc(std::fmin(127.0f, std::fmax(-127.0f, v * 32.0f)));
}

double scale_at(uint64_t index, uint64_t seed) { return 0.01f * (1.0f + 0.5f * uniform_value(index, seed)); }

class ProductLab {
 public:
  ProductLab(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan)
      : device_(device), stream_(stream), plan_(plan), handle_(device), timer_(device), hash_(device.alloc(8)) {
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

  double best_tflops(const std::string& type_name) {
    const ProductShape& shape = plan_.shapes.front();
    const ProductType type = product_type(type_name, false);
    fill_values(stream_, w_.data(), static_cast<int64_t>(w_.size()) / value_bytes(type.values), type.values, kWeightSeed);
    fill_values(stream_, x_.data(), rows_max_ * shape.k, type.values, kRowSeed);
    LtProduct product(handle_, type.types, {w_scales_.as<float>(), x_scales_.as<float>()}, rows_max_, shape.n, shape.k);
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    double best = 0;
    for (const LtProduct::Algorithm& algorithm : product.algorithms(kAlgorithms, status)) {
      const ProductPointers pointers{w_.data(), x_.data(), y_.data()};
      if (!product.run(stream_, algorithm, pointers)) continue;
      const double us = timer_.best_us(stream_, 3, 5, [&](int) { product.run(stream_, algorithm, pointers); });
      best =
          std::max(best, 2.0 * static_cast<double>(rows_max_) * static_cast<double>(shape.n) * static_cast<double>(shape.k) / (us * 1e6));
    }
    return best;
  }

  bool measure(const std::string& type_name) {
    bool right = true;
    const ProductType common = product_type(type_name, false);
    fill_values(stream_, w_.data(), static_cast<int64_t>(w_.size()) / value_bytes(common.values), common.values, kWeightSeed);
    for (const ProductShape& shape : plan_.shapes) {
      if (shape.head && type_name != "bf16") continue;
      const ProductType type = product_type(type_name, shape.head);
      fill_values(stream_, x_.data(), rows_max_ * shape.k, type.values, kRowSeed);
      const std::vector<Sample> samples = shared_samples(shape, type);
      Classes classes;
      for (const int64_t m : plan_.rows) {
        if (!shape.head || m <= kHeadRowsMax) right &= measure_one(shape, type_name, type, m, samples, classes);
      }
      tell_classes(shape, type_name, classes);
    }
    return right;
  }

 private:
  struct Classes {
    std::map<uint64_t, std::map<int64_t, double>> best_of_bits;  // bits of the shared rows -> m -> time
    std::map<int64_t, double> best;                              // m -> time
  };

  struct Sample {
    int64_t row, channel;
    double want;
  };

  bool measure_one(const ProductShape& shape, const std::string& type_name, const ProductType& type, int64_t m, std::vector<Sample> samples,
                   Classes& classes) {
    samples.push_back(sample(shape, type, m - 1, shape.n / 2));
    LtProduct product(handle_, type.types, {w_scales_.as<float>(), x_scales_.as<float>()}, m, shape.n, shape.k);
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    // Copies of a small matrix one after the other, or the card's cache would hold it from call to call.
    const int64_t bytes = shape.n * shape.k * type.types.operand_bytes();
    const int64_t copies = std::max<int64_t>(1, static_cast<int64_t>(w_.size()) / bytes);
    const auto pointers = [&](int64_t i) { return ProductPointers{w_.as<char>() + i % copies * bytes, x_.data(), y_.data()}; };
    double best = 0, error = 0;
    std::string told;
    for (const LtProduct::Algorithm& algorithm : product.algorithms(kAlgorithms, status)) {
      // NaN where the product does not write.
      stream_.fill(y_.data(), 0xff, static_cast<size_t>(m * shape.n * type.types.result_bytes()));
      if (!product.run(stream_, algorithm, pointers(0))) continue;
      const uint64_t bits = bits_of_shared_rows(shape, type);
      error = std::max(error, error_of(shape, type, samples));
      const double us = timer_.best_us(stream_, 3, m > 256 ? 3 : 8, [&](int i) { product.run(stream_, algorithm, pointers(i)); });
      best = best == 0 ? us : std::min(best, us);
      const auto known = classes.best_of_bits[bits].emplace(m, us).first;
      known->second = std::min(known->second, us);
      char text[160];
      std::snprintf(text, sizeof text, "%s{\"id\":%d,\"tile\":%d,\"stages\":%d,\"us\":%.2f,\"bits\":\"%016llx\"}", told.empty() ? "" : ",",
                    algorithm.id, algorithm.tile, algorithm.stages, us, static_cast<unsigned long long>(bits));
      told += text;
    }
    const bool right = error <= (type.types.int8() ? 0 : kErrorMax);
    JsonLine line("gemm");
    line.add("shape", shape.name).add("type", type_name).add("m", m).add("n", shape.n).add("k", shape.k);
    if (best > 0) {
      classes.best[m] = best;
      const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
      const double moved = static_cast<double>(bytes + m * shape.k * type.types.operand_bytes() + m * shape.n * type.types.result_bytes());
      line.add("us", best)
          .add("tflops", flops / (best * 1e6))
          .add("gb_per_s", moved / (best * 1e3))
          .add("of_read", moved / (best * 1e3) / plan_.read_gbs);
      line.add("error", error).add("right", right);
    } else {
      line.add("status", cublasLtGetStatusName(status));
    }
    line.add_json("algorithms", "[" + told + "]").write();
    return right;
  }

  uint64_t bits_of_shared_rows(const ProductShape& shape, const ProductType& type) {
    stream_.fill(hash_.data(), 0, 8);
    hash_words(stream_, y_.as<uint32_t>(), kSharedRows * shape.n * type.types.result_bytes() / 4, hash_.as<unsigned long long>());
    uint64_t bits = 0;
    stream_.copy_to_host(&bits, hash_.data(), 8);
    stream_.synchronize();
    return bits;
  }

  Sample sample(const ProductShape& shape, const ProductType& type, int64_t row, int64_t channel) {
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

  /// Results in rows that every m has; the first and the last channel are among them.
  std::vector<Sample> shared_samples(const ProductShape& shape, const ProductType& type) {
    std::vector<Sample> samples{sample(shape, type, 0, 0), sample(shape, type, kSharedRows - 1, shape.n - 1)};
    for (uint64_t i = 0; i < 22; ++i) {
      samples.push_back(sample(shape, type, mixed(i) % kSharedRows, mixed(i + 1000) % shape.n));
    }
    return samples;
  }

  /// The largest |got - want| against the typical |want|; NaN counts as infinite.
  double error_of(const ProductShape& shape, const ProductType& type, const std::vector<Sample>& samples) {
    double worst = 0, squares = 0;
    for (const Sample& s : samples) {
      const double off = std::abs(result_at(type, s.row * shape.n + s.channel) - s.want);
      worst = std::max(worst, std::isnan(off) ? INFINITY : off);
      squares += s.want * s.want;
    }
    return worst / std::sqrt(squares / static_cast<double>(samples.size()));
  }

  double result_at(const ProductType& type, int64_t index) {
    uint32_t bits = 0;
    const auto bytes = static_cast<size_t>(type.types.result_bytes());
    stream_.copy_to_host(&bits, y_.as<char>() + index * type.types.result_bytes(), bytes);
    stream_.synchronize();
    if (type.types.int8()) return static_cast<int32_t>(bits);
    return bytes == 2 ? to_float(bf16{static_cast<uint16_t>(bits)}) : cuda::float_of(bits);
  }

  /// The class of bits that covers most sizes, and what staying in it costs at worst against a free choice.
  void tell_classes(const ProductShape& shape, const std::string& type_name, const Classes& classes) {
    uint64_t chosen = 0;
    size_t covered = 0;
    double cost = 0;
    for (const auto& [bits, times] : classes.best_of_bits) {
      double worst = 0;
      for (const auto& [m, us] : times) worst = std::max(worst, us / classes.best.at(m));
      if (times.size() > covered || (times.size() == covered && worst < cost)) {
        chosen = bits;
        covered = times.size();
        cost = worst;
      }
    }
    char text[24];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(chosen));
    JsonLine("bits")
        .add("shape", shape.name)
        .add("type", type_name)
        .add("classes", static_cast<int64_t>(classes.best_of_bits.size()))
        .add("covered", static_cast<int64_t>(covered))
        .add("of", static_cast<int64_t>(classes.best.size()))
        .add("worst_cost", cost)
        .add("bits", text)
        .write();
  }

  cuda::Device& device_;
  cuda::Stream& stream_;
  const ProductPlan& plan_;
  LtHandle handle_;
  Timer timer_;
  int64_t rows_max_ = 0;
  cuda::DeviceBuffer hash_, w_, x_, y_, w_scales_, x_scales_;
};

}  // namespace

bool measure_products(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan) {
  ProductLab lab(device, stream, plan);
  bool right = true;
  for (const std::string& type : plan.types) right &= lab.measure(type);
  return right;
}

double product_tflops(cuda::Device& device, cuda::Stream& stream, const ProductShape& shape, const std::string& type) {
  const ProductPlan plan{.shapes = {shape}, .types = {type}, .rows = {2048}};
  return ProductLab(device, stream, plan).best_tflops(type);
}

}  // namespace eyrie::gpu
