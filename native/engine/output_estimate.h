#pragma once
// Running guess at how many tokens a sequence will generate, used only to order the waiting requests.

#include <array>
#include <cstddef>
#include <cstdint>

namespace eyrie {

class OutputEstimate {
 public:
  /// A sequence ended after `tokens` tokens.
  void record(uint32_t tokens);

  /// min(max_tokens, limit()).
  uint32_t expect(uint32_t max_tokens) const { return max_tokens < quantile_ ? max_tokens : quantile_; }
  /// The upper-quartile output of the last kWindow sequences; UINT32_MAX before any has ended.
  uint32_t limit() const { return quantile_; }

 private:
  /// Long enough to be steady, short enough to follow a change from one batch to the next.
  static constexpr size_t kWindow = 256;

  std::array<uint32_t, kWindow> recent_{};
  size_t count_ = 0;
  uint32_t quantile_ = UINT32_MAX;
};

}  // namespace eyrie
