#include "cpu/vector/gelu.h"

#include "cpu/vector/vector_kernels.h"

namespace eyrie {

void gelu(const Compute& compute, const float* x, int64_t n, float* y) {
  constexpr int64_t kPiece = 16384;  // a multiple of the vector width, so that pieces cut nowhere else
  compute.pool->parallel_for(n, kPiece, [&](int64_t begin, int64_t end, int) { compute.vector->gelu(x + begin, end - begin, y + begin); });
}

}  // namespace eyrie
