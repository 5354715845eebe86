#include "cuda/gemm/cublaslt_product.h"

#include <string>
#include <utility>

#include "error.h"

namespace eyrie::cuda {

namespace {

/// Algorithms asked for per number of rows.
constexpr int kAlgorithmsMax = 8;

cudaDataType_t operand_type(const GemmShape& shape) {
  switch (shape.operands) {
    case RowFormat::bf16: return CUDA_R_16BF;
    case RowFormat::e4m3: return CUDA_R_8F_E4M3;
    case RowFormat::int8: return CUDA_R_8I;
  }
  return CUDA_R_16BF;
}

cudaDataType_t result_type(const GemmShape& shape) {
  switch (shape.result) {
    case SumFormat::bf16: return CUDA_R_16BF;
    case SumFormat::float32: return CUDA_R_32F;
    case SumFormat::int32: return CUDA_R_32I;
  }
  return CUDA_R_16BF;
}

template <class T>
void set(cublasLtMatmulDesc_t description, cublasLtMatmulDescAttributes_t attribute, const T& value) {
  check_cublas(cublasLtMatmulDescSetAttribute(description, attribute, &value, sizeof value), "cublasLtMatmulDescSetAttribute");
}

/// An attribute that cannot be read counts as no split: the bits of the results decide anyway.
bool splits_sums(const cublasLtMatmulAlgo_t& algorithm) {
  const auto value_of = [&](cublasLtMatmulAlgoConfigAttributes_t attribute) {
    int32_t value = 0;
    size_t written = 0;
    const cublasStatus_t status = cublasLtMatmulAlgoConfigGetAttribute(&algorithm, attribute, &value, sizeof value, &written);
    return status == CUBLAS_STATUS_SUCCESS ? value : 0;
  };
  return value_of(CUBLASLT_ALGO_CONFIG_SPLITK_NUM) > 1 || value_of(CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME) != CUBLASLT_REDUCTION_SCHEME_NONE;
}

/// Owns a preference.
class Preference {
 public:
  explicit Preference(size_t workspace_bytes) {
    check_cublas(cublasLtMatmulPreferenceCreate(&preference_), "cublasLtMatmulPreferenceCreate");
    const uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_NONE;
    set(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, workspace_bytes);
    set(CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, schemes);
  }
  Preference(const Preference&) = delete;
  Preference& operator=(const Preference&) = delete;
  ~Preference() { cublasLtMatmulPreferenceDestroy(preference_); }
  cublasLtMatmulPreference_t get() const { return preference_; }

 private:
  template <class T>
  void set(cublasLtMatmulPreferenceAttributes_t attribute, const T& value) {
    check_cublas(cublasLtMatmulPreferenceSetAttribute(preference_, attribute, &value, sizeof value),
                 "cublasLtMatmulPreferenceSetAttribute");
  }
  cublasLtMatmulPreference_t preference_ = nullptr;
};

}  // namespace

void check_cublas(cublasStatus_t status, const char* call) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  const std::string message = std::string(call) + ": " + cublasLtGetStatusName(status) + " (" + cublasLtGetStatusString(status) + ")";
  switch (status) {
    case CUBLAS_STATUS_ALLOC_FAILED: throw Error(ErrorCode::out_of_memory, message + "; free memory of the card, or use fewer slots");
    case CUBLAS_STATUS_NOT_INITIALIZED:
    case CUBLAS_STATUS_ARCH_MISMATCH:
    case CUBLAS_STATUS_NOT_SUPPORTED:
      throw Error(ErrorCode::unsupported_device,
                  message + "; update the driver, choose another dtype, or run it on the CPU (--device cpu)");
    default: throw Error(ErrorCode::internal_error, message);
  }
}

size_t operand_bytes(const GemmShape& shape) { return shape.operands == RowFormat::bf16 ? 2 : 1; }
size_t result_bytes(const GemmShape& shape) { return shape.result == SumFormat::bf16 ? 2 : 4; }

CublasLtProduct::CublasLtProduct(cublasLtHandle_t handle, const GemmShape& shape, const Workspace& workspace)
    : handle_(handle), shape_(shape), workspace_(workspace) {
  const bool integers = shape.operands == RowFormat::int8;
  check_cublas(
      cublasLtMatmulDescCreate(&description_, integers ? CUBLAS_COMPUTE_32I : CUBLAS_COMPUTE_32F, integers ? CUDA_R_32I : CUDA_R_32F),
      "cublasLtMatmulDescCreate");
  set(description_, CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
  if (shape.operands != RowFormat::e4m3) return;
  const int32_t per_row = CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F;
  set(description_, CUBLASLT_MATMUL_DESC_A_SCALE_MODE, per_row);
  set(description_, CUBLASLT_MATMUL_DESC_B_SCALE_MODE, per_row);
  set(description_, CUBLASLT_MATMUL_DESC_FAST_ACCUM, static_cast<int8_t>(shape.slow_accumulation ? 0 : 1));
}

CublasLtProduct::CublasLtProduct(CublasLtProduct&& other) noexcept
    : handle_(other.handle_),
      shape_(other.shape_),
      workspace_(other.workspace_),
      description_(std::exchange(other.description_, nullptr)) {}

CublasLtProduct::~CublasLtProduct() {
  if (description_ != nullptr) cublasLtMatmulDescDestroy(description_);
}

CublasLtProduct::Layouts CublasLtProduct::layouts(int64_t m) const {
  Layouts layouts{};
  const auto n = static_cast<uint64_t>(shape_.n);
  const auto k = static_cast<uint64_t>(shape_.k);
  check_cublas(cublasLtMatrixLayoutInit(&layouts.w, operand_type(shape_), k, n, shape_.k), "cublasLtMatrixLayoutInit");
  check_cublas(cublasLtMatrixLayoutInit(&layouts.x, operand_type(shape_), k, static_cast<uint64_t>(m), shape_.k),
               "cublasLtMatrixLayoutInit");
  check_cublas(cublasLtMatrixLayoutInit(&layouts.y, result_type(shape_), n, static_cast<uint64_t>(m), shape_.n),
               "cublasLtMatrixLayoutInit");
  return layouts;
}

void CublasLtProduct::point_at_scales(const GemmCall& call) {
  if (shape_.operands != RowFormat::e4m3) return;
  // In cuBLASLt's view: A is W, with a scale per channel, B is x, with one per row.
  set(description_, CUBLASLT_MATMUL_DESC_A_SCALE_POINTER, call.w_scales);
  set(description_, CUBLASLT_MATMUL_DESC_B_SCALE_POINTER, call.x_scales);
}

std::vector<cublasLtMatmulAlgo_t> CublasLtProduct::algorithms(int64_t m, const GemmCall& call) {
  point_at_scales(call);
  Layouts of = layouts(m);
  const Preference preference(workspace_.bytes);
  cublasLtMatmulHeuristicResult_t found[kAlgorithmsMax];
  int count = 0;
  const cublasStatus_t status =
      cublasLtMatmulAlgoGetHeuristic(handle_, description_, &of.w, &of.x, &of.y, &of.y, preference.get(), kAlgorithmsMax, found, &count);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED) return {};
  check_cublas(status, "cublasLtMatmulAlgoGetHeuristic");
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  for (int i = 0; i < count; ++i) {
    if (found[i].state == CUBLAS_STATUS_SUCCESS && !splits_sums(found[i].algo)) algorithms.push_back(found[i].algo);
  }
  return algorithms;
}

cublasStatus_t CublasLtProduct::start(Stream& stream, const GemmCall& call, const cublasLtMatmulAlgo_t& algorithm) {
  point_at_scales(call);
  Layouts of = layouts(call.m);
  const float one = 1;
  const float zero = 0;
  const int32_t one_integer = 1;
  const int32_t zero_integer = 0;
  const bool integers = shape_.operands == RowFormat::int8;
  const void* const alpha = integers ? static_cast<const void*>(&one_integer) : &one;
  const void* const beta = integers ? static_cast<const void*>(&zero_integer) : &zero;
  return cublasLtMatmul(handle_, description_, alpha, call.w, &of.w, call.x, &of.x, beta, call.y, &of.y, call.y, &of.y, &algorithm,
                        workspace_.data, workspace_.bytes, static_cast<cudaStream_t>(stream.native()));
}

}  // namespace eyrie::cuda
