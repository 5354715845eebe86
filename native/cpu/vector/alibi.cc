#include "cpu/vector/alibi.h"

#include <cmath>

namespace eyrie {

std::vector<float> alibi_slopes(int64_t heads) {
  int64_t power = 1;
  while (power * 2 <= heads) power *= 2;
  std::vector<float> slopes;
  for (int64_t i = 0; i < power && i < heads; ++i)
    slopes.push_back(static_cast<float>(std::exp2(-8.0 * static_cast<double>(i + 1) / static_cast<double>(power))));
  for (int64_t i = 0; power + i < heads; ++i)
    slopes.push_back(static_cast<float>(std::exp2(-4.0 * static_cast<double>(2 * i + 1) / static_cast<double>(power))));
  for (float& s : slopes) s = to_float(to_bf16(s));
  return slopes;
}

}  // namespace eyrie
