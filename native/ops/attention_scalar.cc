#include "ops/attention_body.h"
#include "ops/simd/vec_scalar.h"

namespace eyrie {
extern constinit const AttentionKernels kAttentionKernelsScalar = {attend<scalar::Vec, float>, attend<scalar::Vec, bf16>};
}  // namespace eyrie
