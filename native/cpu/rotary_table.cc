#include "cpu/rotary_table.h"

#include <cmath>
#include <string>

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

}  // namespace eyrie
