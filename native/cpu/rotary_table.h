#pragma once
// The angles of rotary positions, for every device.

#include <cstdint>
#include <vector>

namespace eyrie {

/// cos and sin of position * theta^(-2i/head_dim) for i in [0, head_dim/2). Angles are computed in float32, as the
/// reference implementation does: at long positions that choice is visible.
class RotaryTable {
 public:
  /// head_dim even, positions >= 1, theta > 0; otherwise invalid_request. With `round_to_bf16` the table holds
  /// bfloat16 values, which is what the reference multiplies by in its bfloat16 mode; without, it is more accurate.
  RotaryTable(int64_t head_dim, int64_t positions, double theta, bool round_to_bf16);

  int64_t head_dim() const { return head_dim_; }
  int64_t positions() const { return positions_; }
  const float* cos(int64_t position) const { return values_.data() + position * head_dim_; }
  const float* sin(int64_t position) const { return cos(position) + head_dim_ / 2; }

 private:
  int64_t head_dim_;
  int64_t positions_;
  std::vector<float> values_;  // [positions][cos: head_dim/2 | sin: head_dim/2]
};

}  // namespace eyrie
