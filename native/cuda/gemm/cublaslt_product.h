#pragma once
// One shape of matrix product as cuBLASLt sees it. Row-major y [m, n] = x [m, k] W [n, k]^T is column-major D [n, m] = A^T B with A = W and
// B = x: the form that FP8 needs ("TN").

#include <cublasLt.h>

#include <vector>

#include "cuda/device.h"
#include "cuda/gemm.h"

namespace eyrie::cuda {

/// Throws Error unless `status` is CUBLAS_STATUS_SUCCESS.
void check_cublas(cublasStatus_t status, const char* call);

/// Memory that cuBLASLt may use for products of one stream.
struct Workspace {
  void* data = nullptr;
  size_t bytes = 0;
};

class CublasLtProduct {
 public:
  CublasLtProduct(cublasLtHandle_t handle, const GemmShape& shape, const Workspace& workspace);
  CublasLtProduct(CublasLtProduct&& other) noexcept;
  CublasLtProduct& operator=(CublasLtProduct&&) = delete;
  ~CublasLtProduct();

  const GemmShape& shape() const { return shape_; }
  /// Algorithms for m rows that do not split the sums over blocks, in the library's order; empty where there are none.
  std::vector<cublasLtMatmulAlgo_t> algorithms(int64_t m, const GemmCall& call);
  /// Computes call.m rows, a multiple of 16. Does not throw for what the algorithm refuses.
  cublasStatus_t start(Stream& stream, const GemmCall& call, const cublasLtMatmulAlgo_t& algorithm);

 private:
  struct Layouts {
    cublasLtMatrixLayoutOpaque_t w, x, y;
  };
  Layouts layouts(int64_t m) const;
  void point_at_scales(const GemmCall& call);

  cublasLtHandle_t handle_;
  GemmShape shape_;
  Workspace workspace_;
  cublasLtMatmulDesc_t description_ = nullptr;
};

size_t operand_bytes(const GemmShape& shape);
size_t result_bytes(const GemmShape& shape);

}  // namespace eyrie::cuda
