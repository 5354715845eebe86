#include "cpu/vector/rotary.h"

#include <string>

#include "cpu/vector/vector_kernels.h"
#include "error.h"

namespace eyrie {

void rotary(const Compute& compute, const RotaryTable& table, float* rows, int64_t row_stride, int64_t m, int64_t heads,
            const int32_t* positions) {
  for (int64_t r = 0; r < m; ++r)
    if (positions[r] < 0 || positions[r] >= table.positions())
      throw Error(ErrorCode::invalid_request, "position " + std::to_string(positions[r]) + " is outside the rotary table of " +
                                                  std::to_string(table.positions()) + " positions");
  compute.pool->parallel_for(m, 4, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r)
      compute.vector->rotary(rows + r * row_stride, heads, table.head_dim(), table.cos(positions[r]), table.sin(positions[r]));
  });
}

}  // namespace eyrie
