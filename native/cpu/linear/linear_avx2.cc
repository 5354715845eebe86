#include "cpu/linear/linear_body.h"
#include "cpu/linear/linear_finish.h"
#include "cpu/simd/vec_avx2.h"

namespace eyrie {

using avx2::Vec;

extern constinit const ProductKernel kFloat32Avx2 = float32_product<Vec, 4, 1>();
extern constinit const ProductKernel kBfloat16Avx2 = bfloat16_product<Vec, 4, 1>();
extern constinit const ProductKernel kInt8Avx2 = int8_product<Vec, 4, 1>();
extern constinit const FinishKernel kFinishAvx2 = finish_panels<Vec>;

}  // namespace eyrie
