// Which table belongs to which level. Levels exist on x86-64 only; elsewhere everything runs on the scalar kernels.

#include "ops/attention_kernels.h"
#include "ops/linear_kernels.h"
#include "ops/vector_kernels.h"

namespace eyrie {

extern const VectorKernels kVectorKernelsScalar;
extern const LinearKernels kLinearKernelsScalar;
extern const AttentionKernels kAttentionKernelsScalar;

const VectorKernels& vector_kernels(Isa) { return kVectorKernelsScalar; }
const LinearKernels& linear_kernels(Isa) { return kLinearKernelsScalar; }
const AttentionKernels& attention_kernels(Isa) { return kAttentionKernelsScalar; }

}  // namespace eyrie
