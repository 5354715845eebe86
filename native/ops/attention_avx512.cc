#include "ops/attention_body.h"
#include "ops/simd/vec_avx512.h"

namespace eyrie {
extern constinit const AttentionKernels kAttentionKernelsAvx512 = {attend<avx512::Vec, float>, attend<avx512::Vec, bf16>};
}  // namespace eyrie
