#include <algorithm>
#include <cstdio>

#include "gpu/json_line.h"
#include "gpu/lab/product_classes.h"
#include "gpu/lab/product_operands_card.h"
#include "gpu/lab/timer.h"

namespace eyrie::gpu {

namespace {

constexpr int kAlgorithms = 10;
// Against the typical result: bf16 keeps 8 bits, and fast sums of FP8 about 14 on the way.
constexpr double kErrorMax = 0.02;

double operations(const ProductShape& shape, int64_t m) {
  return 2.0 * static_cast<double>(m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
}

/// Read and written by one product.
double moved_bytes(const ProductShape& shape, const ProductTypes& types, int64_t m) {
  return static_cast<double>((shape.n + m) * shape.k * types.operand_bytes() + m * shape.n * types.result_bytes());
}

class ProductLab {
 public:
  ProductLab(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan)
      : stream_(stream), plan_(plan), handle_(device), timer_(device), operands_(device, stream, plan) {}

  double best_tflops(const std::string& type_name) {
    const ProductShape& shape = plan_.shapes.front();
    const ProductType type = product_type(type_name, false);
    operands_.fill_weights(type.values);
    operands_.fill_rows(shape, type.values);
    const int64_t m = operands_.rows_max();
    LtProduct product(handle_, type.types, operands_.scales(), m, shape.n, shape.k);
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    double best = 0;
    for (const LtProduct::Algorithm& algorithm : product.algorithms(kAlgorithms, status)) {
      const ProductPointers pointers = operands_.pointers(shape, type, 0);
      if (!product.run(stream_, algorithm, pointers)) continue;
      const double us = timer_.best_us(stream_, 3, 5, [&](int) { product.run(stream_, algorithm, pointers); });
      best = std::max(best, operations(shape, m) / (us * 1e6));
    }
    return best;
  }

  bool measure(const std::string& type_name) {
    bool right = true;
    operands_.fill_weights(product_type(type_name, false).values);
    for (const ProductShape& shape : plan_.shapes) {
      if (shape.head && type_name != "bf16") continue;
      const ProductType type = product_type(type_name, shape.head);
      operands_.fill_rows(shape, type.values);
      const std::vector<Sample> samples = ProductOperands::shared_samples(shape, type);
      ProductClasses classes;
      for (const int64_t m : plan_.rows) {
        if (!shape.head || m <= kHeadRowsMax) right &= measure_one(shape, type_name, type, m, samples, classes);
      }
      classes.tell(shape.name, type_name);
    }
    return right;
  }

 private:
  bool measure_one(const ProductShape& shape, const std::string& type_name, const ProductType& type, int64_t m, std::vector<Sample> samples,
                   ProductClasses& classes) {
    samples.push_back(ProductOperands::sample(shape, type, m - 1, shape.n / 2));
    LtProduct product(handle_, type.types, operands_.scales(), m, shape.n, shape.k);
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    double best = 0, error = 0;
    std::string told;
    for (const LtProduct::Algorithm& algorithm : product.algorithms(kAlgorithms, status)) {
      operands_.poison_results(shape, type, m);
      if (!product.run(stream_, algorithm, operands_.pointers(shape, type, 0))) continue;
      const uint64_t bits = operands_.bits_of_shared_rows(shape, type);
      error = std::max(error, operands_.error_of(shape, type, samples));
      const double us =
          timer_.best_us(stream_, 3, m > 256 ? 3 : 8, [&](int i) { product.run(stream_, algorithm, operands_.pointers(shape, type, i)); });
      best = best == 0 ? us : std::min(best, us);
      classes.add(bits, m, us);
      char text[160];
      std::snprintf(text, sizeof text, "%s{\"id\":%d,\"tile\":%d,\"stages\":%d,\"us\":%.2f,\"bits\":\"%016llx\"}", told.empty() ? "" : ",",
                    algorithm.id, algorithm.tile, algorithm.stages, us, static_cast<unsigned long long>(bits));
      told += text;
    }
    const bool right = error <= (type.types.int8() ? 0 : kErrorMax);
    JsonLine line("gemm");
    line.add("shape", shape.name).add("type", type_name).add("m", m).add("n", shape.n).add("k", shape.k);
    if (best > 0) {
      const double rate = moved_bytes(shape, type.types, m) / (best * 1e3);
      line.add("us", best).add("tflops", operations(shape, m) / (best * 1e6)).add("gb_per_s", rate).add("of_read", rate / plan_.read_gbs);
      line.add("error", error).add("right", right);
    } else {
      line.add("status", cublasLtGetStatusName(status));
    }
    line.add_json("algorithms", "[" + told + "]").write();
    return right;
  }

  cuda::Stream& stream_;
  const ProductPlan& plan_;
  LtHandle handle_;
  Timer timer_;
  ProductOperands operands_;
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
