// Which kernels belong to which level. Levels exist on x86-64 only; elsewhere everything runs on the scalar kernels.
//
// All tables are constants: a file compiled for a newer CPU must not run any code, not even an initialiser, before the
// CPU has been asked.

#include "cpu/attention/attention_kernels.h"
#include "cpu/linear/linear_kernels.h"
#include "cpu/vector/vector_kernels.h"

namespace eyrie {

extern const VectorKernels kVectorKernelsScalar, kVectorKernelsAvx2, kVectorKernelsAvx512;
extern const AttentionKernel kAttentionFloat32Scalar, kAttentionFloat32Avx2, kAttentionFloat32Avx512;
extern const AttentionKernel kAttentionBfloat16Scalar, kAttentionBfloat16Avx2, kAttentionBfloat16Avx512, kAttentionBfloat16Avx512Vnni,
    kAttentionBfloat16Avx512Bf16, kAttentionBfloat16Amx;
extern const FinishKernel kFinishScalar, kFinishAvx2, kFinishAvx512;
extern const ProductKernel kFloat32Scalar, kFloat32Avx2, kFloat32Avx512;
extern const ProductKernel kBfloat16Scalar, kBfloat16Avx2, kBfloat16Avx512, kBfloat16Avx512Bf16, kBfloat16Amx;
extern const ProductKernel kInt8Scalar, kInt8Avx2, kInt8Avx512, kInt8Avx512Vnni, kInt8Amx;

namespace {

constexpr AttentionKernels kAttentionScalar = {&kAttentionFloat32Scalar, &kAttentionBfloat16Scalar};
constexpr LinearKernels kScalar = {&kFloat32Scalar, &kBfloat16Scalar, &kInt8Scalar, &kFinishScalar};
#if defined(__x86_64__)
constexpr LinearKernels kAvx2 = {&kFloat32Avx2, &kBfloat16Avx2, &kInt8Avx2, &kFinishAvx2};
constexpr LinearKernels kAvx512 = {&kFloat32Avx512, &kBfloat16Avx512, &kInt8Avx512, &kFinishAvx512};
constexpr LinearKernels kAvx512Vnni = {&kFloat32Avx512, &kBfloat16Avx512, &kInt8Avx512Vnni, &kFinishAvx512};
constexpr LinearKernels kAvx512Bf16 = {&kFloat32Avx512, &kBfloat16Avx512Bf16, &kInt8Avx512Vnni, &kFinishAvx512};
constexpr LinearKernels kAmx = {&kFloat32Avx512, &kBfloat16Amx, &kInt8Amx, &kFinishAvx512};

constexpr AttentionKernels kAttentionAvx2 = {&kAttentionFloat32Avx2, &kAttentionBfloat16Avx2};
constexpr AttentionKernels kAttentionAvx512 = {&kAttentionFloat32Avx512, &kAttentionBfloat16Avx512};
constexpr AttentionKernels kAttentionAvx512Vnni = {&kAttentionFloat32Avx512, &kAttentionBfloat16Avx512Vnni};
constexpr AttentionKernels kAttentionAvx512Bf16 = {&kAttentionFloat32Avx512, &kAttentionBfloat16Avx512Bf16};
constexpr AttentionKernels kAttentionAmx = {&kAttentionFloat32Avx512, &kAttentionBfloat16Amx};
#endif

}  // namespace

#if defined(__x86_64__)
const VectorKernels& vector_kernels(Isa isa) {
  return isa == Isa::scalar ? kVectorKernelsScalar : isa == Isa::avx2 ? kVectorKernelsAvx2 : kVectorKernelsAvx512;
}
const LinearKernels& linear_kernels(Isa isa) {
  switch (isa) {
    case Isa::avx2: return kAvx2;
    case Isa::avx512: return kAvx512;
    case Isa::avx512vnni: return kAvx512Vnni;
    case Isa::avx512bf16: return kAvx512Bf16;
    case Isa::amx: return kAmx;
    case Isa::scalar: break;
  }
  return kScalar;
}
const AttentionKernels& attention_kernels(Isa isa) {
  switch (isa) {
    case Isa::avx2: return kAttentionAvx2;
    case Isa::avx512: return kAttentionAvx512;
    case Isa::avx512vnni: return kAttentionAvx512Vnni;
    case Isa::avx512bf16: return kAttentionAvx512Bf16;
    case Isa::amx: return kAttentionAmx;
    case Isa::scalar: break;
  }
  return kAttentionScalar;
}
#else
const VectorKernels& vector_kernels(Isa) { return kVectorKernelsScalar; }
const LinearKernels& linear_kernels(Isa) { return kScalar; }
const AttentionKernels& attention_kernels(Isa) { return kAttentionScalar; }
#endif

}  // namespace eyrie
