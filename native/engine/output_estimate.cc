#include "engine/output_estimate.h"

#include <algorithm>

namespace eyrie {

void OutputEstimate::record(uint32_t tokens) {
  recent_[count_ % kWindow] = tokens;
  ++count_;
  std::array<uint32_t, kWindow> sorted = recent_;
  const size_t filled = std::min(count_, kWindow);
  const size_t rank = filled * 3 / 4;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
  std::nth_element(sorted.begin(), at, sorted.begin() + static_cast<std::ptrdiff_t>(filled));
  quantile_ = *at;
}

}  // namespace eyrie
