#include "cpu/linear/linear_body.h"
#include "cpu/linear/linear_finish.h"
#include "cpu/simd/vec_avx512.h"

namespace eyrie {

using avx512::Vec;

extern constinit const ProductKernel kFloat32Avx512 = float32_product<Vec, 8, 2>();
extern constinit const ProductKernel kBfloat16Avx512 = bfloat16_product<Vec, 8, 2>();
extern constinit const ProductKernel kInt8Avx512 = int8_product<Vec, 8, 2>();
extern constinit const FinishKernel kFinishAvx512 = finish_panels<Vec>;

}  // namespace eyrie
