#include "cpu/simd/vec_avx2.h"
#include "cpu/vector/vector_kernels_body.h"

namespace eyrie {
extern constinit const VectorKernels kVectorKernelsAvx2 = make_vector_kernels<avx2::Vec>();
}  // namespace eyrie
