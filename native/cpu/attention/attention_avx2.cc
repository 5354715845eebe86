#include "cpu/attention/attention_body.h"
#include "cpu/simd/vec_avx2.h"

namespace eyrie {
extern constinit const AttentionKernel kAttentionFloat32Avx2 = attend<avx2::Vec, float>;
extern constinit const AttentionKernel kAttentionBfloat16Avx2 = attend<avx2::Vec, bf16>;
}  // namespace eyrie
