#include "cpu/simd/vec_scalar.h"
#include "cpu/vector/vector_kernels_body.h"

namespace eyrie {
extern constinit const VectorKernels kVectorKernelsScalar = make_vector_kernels<scalar::Vec>();
}  // namespace eyrie
