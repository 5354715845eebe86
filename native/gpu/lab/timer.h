#pragma once
// Times of work on a stream, by events.

#include <algorithm>

#include "cuda/device.h"

namespace eyrie::gpu {

class Timer {
 public:
  explicit Timer(const cuda::Device& device) : first_(device), last_(device) {}

  /// Microseconds of one call of `work(i)`: the best of `rounds` rounds of `repeats` calls, i counting all of them. A call before
  /// them warms up.
  template <class Work>
  double best_us(cuda::Stream& stream, int rounds, int repeats, Work&& work) {
    double best = 1e30;
    int i = 0;
    work(i++);
    for (int round = 0; round < rounds; ++round) {
      stream.record(first_);
      for (int r = 0; r < repeats; ++r) work(i++);
      stream.record(last_);
      last_.synchronize();
      best = std::min(best, last_.elapsed_since(first_).count() * 1e3 / repeats);
    }
    return best;
  }

 private:
  cuda::Event first_, last_;
};

}  // namespace eyrie::gpu
