// Which table belongs to which level. Levels exist on x86-64 only; elsewhere everything runs on the scalar kernels.

#include "ops/attention_kernels.h"
#include "ops/linear_kernels.h"
#include "ops/vector_kernels.h"

namespace eyrie {

extern const VectorKernels kVectorKernelsScalar, kVectorKernelsAvx2, kVectorKernelsAvx512;
extern const LinearKernels kLinearKernelsScalar, kLinearKernelsAvx2, kLinearKernelsAvx512, kLinearKernelsAvx512Bf16,
    kLinearKernelsAmx;
extern const AttentionKernels kAttentionKernelsScalar, kAttentionKernelsAvx2, kAttentionKernelsAvx512;

#if defined(__x86_64__)
const VectorKernels& vector_kernels(Isa isa) {
  return isa == Isa::scalar ? kVectorKernelsScalar : isa == Isa::avx2 ? kVectorKernelsAvx2 : kVectorKernelsAvx512;
}
const LinearKernels& linear_kernels(Isa) { return kLinearKernelsScalar; }
const AttentionKernels& attention_kernels(Isa isa) {
  return isa == Isa::scalar ? kAttentionKernelsScalar : isa == Isa::avx2 ? kAttentionKernelsAvx2 : kAttentionKernelsAvx512;
}
#else
const VectorKernels& vector_kernels(Isa) { return kVectorKernelsScalar; }
const LinearKernels& linear_kernels(Isa) { return kLinearKernelsScalar; }
const AttentionKernels& attention_kernels(Isa) { return kAttentionKernelsScalar; }
#endif

}  // namespace eyrie
