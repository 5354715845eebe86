#include "cpu/attention/attention_body.h"
#include "cpu/simd/vec_scalar.h"

namespace eyrie {
extern constinit const AttentionKernel kAttentionFloat32Scalar = attend<scalar::Vec, float>;
extern constinit const AttentionKernel kAttentionBfloat16Scalar = attend<scalar::Vec, bf16>;
}  // namespace eyrie
