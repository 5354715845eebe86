#pragma once
// Bringing lines that will be read later into a cache, a few at a time between multiplications.

#include <cstdint>

#include "numbers/bfloat16.h"

namespace eyrie {

/// A single block of x waits for memory alone; of 1 to 16 KiB ahead this was best.
constexpr int64_t kStreamAhead = 8192;

// Where lines are brought to, as __builtin_prefetch has it.
constexpr int kToFirstLevel = 3, kToSecondLevel = 2;

/// Spreads `bytes` from p over `steps` calls of step(), and fetches nothing past them: what a cache was not asked for would
/// push out what it holds.
class PrefetchLines {
 public:
  EYRIE_INLINE PrefetchLines(const void* p, int64_t bytes, int64_t steps)
      : at_(static_cast<const char*>(p)), end_(at_ + bytes), per_step_((bytes / 64 + steps - 1) / steps) {}
  template <int kLevel>
  EYRIE_INLINE void step() {
    for (int64_t i = 0; i < per_step_ && at_ < end_; i++, at_ += 64) __builtin_prefetch(at_, 0, kLevel);
  }

 private:
  const char* at_;
  const char* end_;
  int64_t per_step_;
};

}  // namespace eyrie
