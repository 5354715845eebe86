#pragma once
#include <cstdint>

#include "cpu/compute.h"

namespace eyrie {

/// y = x * Phi(x), the exact (erf) GELU, elementwise over n values; x and y may be the same. Relative error below 3e-6
/// wherever the result is a normal number, negative tail included, far below one bfloat16 ulp (see gelu_rows.h).
/// linear() applies the same function to its output on request, which saves this pass.
void gelu(const Compute& compute, const float* x, int64_t n, float* y);

}  // namespace eyrie
