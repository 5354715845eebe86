#include "gpu/lab/lt_product_card.h"

#include "error.h"

namespace eyrie::gpu {

namespace {

// What cuBLAS itself asks for on Hopper and later; with less, some algorithms do not come up.
constexpr size_t kWorkspaceBytes = size_t{32} << 20;

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check_lt(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}

/// -1 where the algorithm does not tell: the rest of the table is worth more than this number.
int32_t setting(const cublasLtMatmulAlgo_t& algo, cublasLtMatmulAlgoConfigAttributes_t attribute) {
  int32_t value = 0;
  size_t written = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoConfigGetAttribute(&algo, attribute, &value, sizeof value, &written);
  return status == CUBLAS_STATUS_SUCCESS ? value : -1;
}

}  // namespace

void check_lt(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Error(status == CUBLAS_STATUS_NOT_INITIALIZED ? ErrorCode::unsupported_device : ErrorCode::internal_error,
              std::string(call) + ": " + cublasLtGetStatusName(status));
}

LtHandle::LtHandle(cuda::Device& device) : workspace_(device.alloc(kWorkspaceBytes)) {
  check_lt(cublasLtCreate(&handle_), "cublasLtCreate");
}

LtProduct::LtProduct(const LtHandle& handle, const ProductTypes& types, const ProductScales& scales, int64_t m, int64_t n, int64_t k)
    : handle_(handle), types_(types) {
  check_lt(
      cublasLtMatmulDescCreate(&operation_, types.int8() ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F, types.int8() ? CUDA_R_32I : CUDA_R_32F),
      "cublasLtMatmulDescCreate");
  set(operation_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (types.fp8()) {
    const int32_t per_vector = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
    set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, per_vector);
    set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, per_vector);
    set(operation_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, scales.w);
    set(operation_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, scales.x);
    set(operation_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<int8_t>(types.fast_accumulation));
  }
  const auto n_ = static_cast<uint64_t>(n), k_ = static_cast<uint64_t>(k), m_ = static_cast<uint64_t>(m);
  check_lt(cublasLtMatrixLayoutCreate(&a_, types.operand, k_, n_, k), "cublasLtMatrixLayoutCreate");
  check_lt(cublasLtMatrixLayoutCreate(&b_, types.operand, k_, m_, k), "cublasLtMatrixLayoutCreate");
  check_lt(cublasLtMatrixLayoutCreate(&d_, types.result, n_, m_, n), "cublasLtMatrixLayoutCreate");
}

LtProduct::~LtProduct() {
  for (cublasLtMatrixLayout_t layout : {a_, b_, d_}) cublasLtMatrixLayoutDestroy(layout);
  cublasLtMatmulDescDestroy(operation_);
}

std::vector<LtProduct::Algorithm> LtProduct::algorithms(int count, cublasStatus_t& status) {
  cublasLtMatmulPreference_t preference = nullptr;
  check_lt(cublasLtMatmulPreferenceCreate(&preference), "cublasLtMatmulPreferenceCreate");
  const uint32_t no_reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
  const size_t bytes = handle_.workspace_bytes();
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &no_reduction, sizeof no_reduction);
  cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &bytes, sizeof bytes);
  std::vector<cublasLtMatmulHeuristicResult_t> found(static_cast<size_t>(count));
  int returned = 0;
  status = cublasLtMatmulAlgoGetHeuristic(handle_.get(), operation_, a_, b_, d_, d_, preference, count, found.data(), &returned);
  cublasLtMatmulPreferenceDestroy(preference);

  std::vector<Algorithm> algorithms;
  for (int i = 0; status == CUBLAS_STATUS_SUCCESS && i < returned; ++i) {
    const cublasLtMatmulAlgo_t& algo = found[static_cast<size_t>(i)].algo;
    if (setting(algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM) > 1) continue;
    algorithms.push_back({algo, setting(algo, CUBLASLT_ALGO_CONFIG_ID), setting(algo, CUBLASLT_ALGO_CONFIG_TILE_ID),
                          setting(algo, CUBLASLT_ALGO_CONFIG_STAGES_ID)});
  }
  return algorithms;
}

bool LtProduct::run(cuda::Stream& stream, const Algorithm& algorithm, const ProductPointers& p) {
  const float one = 1, zero = 0;
  const int32_t one_int = 1, zero_int = 0;
  const void* alpha = types_.int8() ? static_cast<const void*>(&one_int) : &one;
  const void* beta = types_.int8() ? static_cast<const void*>(&zero_int) : &zero;
  return cublasLtMatmul(handle_.get(), operation_, alpha, p.w, a_, p.x, b_, beta, p.y, d_, p.y, d_, &algorithm.algo, handle_.workspace(),
                        handle_.workspace_bytes(), static_cast<cudaStream_t>(stream.native())) == CUBLAS_STATUS_SUCCESS;
}

}  // namespace eyrie::gpu
