#include "ops/simd/vec_scalar.h"
#include "ops/vector_kernels_body.h"

namespace eyrie {
extern constinit const VectorKernels kVectorKernelsScalar = make_vector_kernels<scalar::Vec>();
}  // namespace eyrie
