#include "cpu/vector/layer_norm.h"

#include "cpu/vector/vector_kernels.h"

namespace eyrie {

void layer_norm(const Compute& compute, const float* x, int64_t m, int64_t hidden, float eps, const LayerNormOutput* outputs, int count,
                DType y_dtype) {
  compute.pool->parallel_for(m, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) compute.vector->layer_norm(x + row * hidden, row, hidden, eps, outputs, count, y_dtype);
  });
}

}  // namespace eyrie
