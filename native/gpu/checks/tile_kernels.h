#pragma once
// One warp multiplies with the tensor core, by way of shared memory: shows that fragments lie as ptx.h says.

#include "cuda/device.h"
#include "cuda/kernels/numbers.h"

namespace eyrie::gpu {

/// c [16, 8] float32 = a [16, k] b, where b is [8, k] (rows, loaded as they are) or [k, 8] (loaded transposed). k is a multiple of 16, at
/// most 256. a and b are aligned to 16 bytes.
void multiply_tile(cuda::Stream& stream, const bf16* a, const bf16* b, bool b_is_k_by_n, int k, float* c);

}  // namespace eyrie::gpu
