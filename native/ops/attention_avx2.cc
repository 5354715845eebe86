#include "ops/attention_body.h"
#include "ops/simd/vec_avx2.h"

namespace eyrie {
extern constinit const AttentionKernels kAttentionKernelsAvx2 = {attend<avx2::Vec, float>, attend<avx2::Vec, bf16>};
}  // namespace eyrie
