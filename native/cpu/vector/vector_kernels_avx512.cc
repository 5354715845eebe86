#include "cpu/simd/vec_avx512.h"
#include "cpu/vector/vector_kernels_body.h"

namespace eyrie {
extern constinit const VectorKernels kVectorKernelsAvx512 = make_vector_kernels<avx512::Vec>();
}  // namespace eyrie
