#include "cpu/vector/embedding.h"

#include <string>

#include "error.h"

namespace eyrie {

void embed(const Compute& compute, const PackedLinear& table, const int32_t* ids, int64_t m, float* x) {
  for (int64_t r = 0; r < m; ++r)
    if (ids[r] < 0 || ids[r] >= table.n())
      throw Error(ErrorCode::invalid_request, "token id " + std::to_string(ids[r]) + " at row " + std::to_string(r) +
                                                  " is outside the vocabulary of " + std::to_string(table.n()));
  compute.pool->parallel_for(m, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) table.read_row(ids[r], x + r * table.k());
  });
}

}  // namespace eyrie
