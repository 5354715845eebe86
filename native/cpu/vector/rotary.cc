#include "cpu/vector/rotary.h"

#include <cmath>
#include <string>

#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "numbers/bfloat16.h"

namespace eyrie {

RotaryTable::RotaryTable(int64_t head_dim, int64_t positions, double theta, bool round_to_bf16)
    : head_dim_(head_dim), positions_(positions) {
  if (head_dim < 2 || head_dim % 2 != 0)
    throw Error(ErrorCode::invalid_request, "rotary head_dim is " + std::to_string(head_dim) + "; it must be even and >= 2");
  if (positions < 1) throw Error(ErrorCode::invalid_request, "rotary positions is " + std::to_string(positions) + "; it must be >= 1");
  if (!(theta > 0) || !std::isfinite(theta))
    throw Error(ErrorCode::invalid_request, "rope_theta is " + std::to_string(theta) + "; it must be a positive number");
  const int64_t half = head_dim / 2;
  values_.resize(positions * head_dim);
  for (int64_t i = 0; i < half; ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(head_dim);
    const float frequency = 1.0f / static_cast<float>(std::pow(theta, static_cast<double>(exponent)));
    for (int64_t p = 0; p < positions; ++p) {
      const double angle = static_cast<double>(static_cast<float>(p) * frequency);
      float c = static_cast<float>(std::cos(angle)), s = static_cast<float>(std::sin(angle));
      if (round_to_bf16) c = to_float(to_bf16(c)), s = to_float(to_bf16(s));
      values_[p * head_dim + i] = c;
      values_[p * head_dim + half + i] = s;
    }
  }
}

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
