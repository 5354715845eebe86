#pragma once
// One matrix product y [m, n] = x [m, k] W [n, k]^T, row-major, as cuBLASLt sees it: column-major, A = W transposed, B = x, D = y.
// Scales of FP8 are vectors of its view: A's per channel, B's per row of ours.

#include <cublasLt.h>

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"

namespace eyrie::gpu {

/// Throws internal_error naming the call and the status.
void check_lt(cublasStatus_t status, const char* call);

class LtHandle {
 public:
  explicit LtHandle(cuda::Device& device);
  ~LtHandle() { cublasLtDestroy(handle_); }
  LtHandle(const LtHandle&) = delete;
  LtHandle& operator=(const LtHandle&) = delete;

  cublasLtHandle_t get() const { return handle_; }
  void* workspace() const { return workspace_.data(); }
  size_t workspace_bytes() const { return workspace_.size(); }

 private:
  cublasLtHandle_t handle_ = nullptr;
  cuda::DeviceBuffer workspace_;
};

struct ProductTypes {
  cudaDataType_t operand;
  cudaDataType_t result;
  bool fast_accumulation;  ///< FP8: sums in fewer bits

  bool fp8() const { return operand == CUDA_R_8F_E4M3; }
  bool int8() const { return operand == CUDA_R_8I; }
  int64_t operand_bytes() const { return operand == CUDA_R_16BF ? 2 : 1; }
  int64_t result_bytes() const { return result == CUDA_R_16BF ? 2 : 4; }
};

/// Scales of FP8, the same for all calls: cuBLASLt looks at them when it is asked for algorithms, too.
struct ProductScales {
  const float* w;  // [n]
  const float* x;  // [m]
};

struct ProductPointers {
  const void* w;
  const void* x;
  void* y;
};

class LtProduct {
 public:
  struct Algorithm {
    cublasLtMatmulAlgo_t algo;
    int32_t id, tile, stages;
  };

  LtProduct(const LtHandle& handle, const ProductTypes& types, const ProductScales& scales, int64_t m, int64_t n, int64_t k);
  ~LtProduct();
  LtProduct(const LtProduct&) = delete;
  LtProduct& operator=(const LtProduct&) = delete;

  /// Those that cuBLASLt recommends, best first, without the ones that cut k into parts. Empty when it has none; `status` says why.
  std::vector<Algorithm> algorithms(int count, cublasStatus_t& status);
  /// Starts the product; false when the algorithm refuses.
  bool run(cuda::Stream& stream, const Algorithm& algorithm, const ProductPointers& pointers);

 private:
  const LtHandle& handle_;
  ProductTypes types_;
  cublasLtMatmulDesc_t operation_ = nullptr;
  cublasLtMatrixLayout_t a_ = nullptr, b_ = nullptr, d_ = nullptr;
};

}  // namespace eyrie::gpu
