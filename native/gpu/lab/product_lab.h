#pragma once
// The table of matrix products y [m, n] = x [m, k] W [n, k]^T by shape, type and m: time of each algorithm that cuBLASLt offers, error
// against sums in double, and which algorithms give a row the same bits at every m.

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"

namespace eyrie::gpu {

struct ProductShape {
  std::string name;
  int64_t n = 0, k = 0;
  bool head = false;  ///< bf16 alone, float32 out, m up to 512
};

struct ProductPlan {
  std::vector<ProductShape> shapes;
  std::vector<std::string> types;  ///< of kProductTypes
  std::vector<int64_t> rows;       ///< multiples of 16
  double read_gbs = 0;             ///< for the share of the read rate
};

inline const std::vector<std::string> kProductTypes{"bf16", "fp8", "fp8_fast", "int8"};

/// One line "gemm" per shape, type and m, one line "bits" per shape and type. Returns false when a product was wrong.
bool measure_products(cuda::Device& device, cuda::Stream& stream, const ProductPlan& plan);

/// The best rate of one product at m = 2048, the limit of the arithmetic in this type. 0 without cuBLASLt.
double product_tflops(cuda::Device& device, cuda::Stream& stream, const ProductShape& shape, const std::string& type);

}  // namespace eyrie::gpu
