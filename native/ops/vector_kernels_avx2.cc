#include "ops/simd/vec_avx2.h"
#include "ops/vector_kernels_body.h"

namespace eyrie {
extern constinit const VectorKernels kVectorKernelsAvx2 = make_vector_kernels<avx2::Vec>();
}  // namespace eyrie
