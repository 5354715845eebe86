#pragma once
// What the lab multiplies, in the memory of the card, and what has to come out of it.

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "gpu/lab/lab_kernels.h"
#include "gpu/lab/lt_product_card.h"
#include "gpu/lab/product_lab.h"

namespace eyrie::gpu {

struct ProductType {
  ProductTypes types;
  ValueType values;
};

/// `name`: of kProductTypes.
ProductType product_type(const std::string& name, bool head);

inline constexpr int64_t kHeadRowsMax = 512;  // no pass needs more logits

/// One result, computed in double.
struct Sample {
  int64_t row, channel;
  double want;
};

class ProductOperands {
 public:
  /// Room for all products of the plan.
  ProductOperands(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan);

  int64_t rows_max() const { return rows_max_; }
  ProductScales scales() const { return {w_scales_.as<float>(), x_scales_.as<float>()}; }
  /// Weights fill all of their room, so that a small matrix lies there several times.
  void fill_weights(ValueType type);
  void fill_rows(const ProductShape& shape, ValueType type);
  /// Copies of the matrix one after the other, or the card's cache would hold it from call to call.
  ProductPointers pointers(const ProductShape& shape, const ProductType& type, int64_t call) const;
  /// NaN where a product does not write.
  void poison_results(const ProductShape& shape, const ProductType& type, int64_t m);

  static Sample sample(const ProductShape& shape, const ProductType& type, int64_t row, int64_t channel);
  /// Results in rows that every m has; the first and the last channel are among them.
  static std::vector<Sample> shared_samples(const ProductShape& shape, const ProductType& type);
  /// The largest |got - want| against the typical |want|; NaN counts as infinite.
  double error_of(const ProductShape& shape, const ProductType& type, const std::vector<Sample>& samples);
  /// A hash of the rows that every m has.
  uint64_t bits_of_shared_rows(const ProductShape& shape, const ProductType& type);

 private:
  double result_at(const ProductType& type, int64_t index);

  cuda::Stream& stream_;
  int64_t rows_max_ = 0;
  cuda::DeviceBuffer hash_, w_, x_, y_, w_scales_, x_scales_;
};

}  // namespace eyrie::gpu
