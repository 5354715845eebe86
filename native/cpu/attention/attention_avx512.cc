#include "cpu/attention/attention_body.h"
#include "cpu/simd/vec_avx512.h"

namespace eyrie {
extern constinit const AttentionKernel kAttentionFloat32Avx512 = attend<avx512::Vec, float>;
extern constinit const AttentionKernel kAttentionBfloat16Avx512 = attend<avx512::Vec, bf16>;
}  // namespace eyrie
