#include "cpu/linear/linear_body.h"
#include "cpu/linear/linear_finish.h"
#include "cpu/simd/vec_scalar.h"

namespace eyrie {

using scalar::Vec;

extern constinit const ProductKernel kFloat32Scalar = float32_product<Vec, 1, 1>();
extern constinit const ProductKernel kBfloat16Scalar = bfloat16_product<Vec, 1, 1>();
extern constinit const ProductKernel kInt8Scalar = int8_product<Vec, 1, 1>();
extern constinit const FinishKernel kFinishScalar = finish_panels<Vec>;

}  // namespace eyrie
