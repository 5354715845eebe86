#pragma once
// A group whose ranks can read each other's memory, because they share a card: sums are a kernel. For trying shares of a model where there
// are fewer cards than ranks, and in emulation.

#include <condition_variable>
#include <mutex>
#include <vector>

#include "cuda/kernels/ranks.h"
#include "cuda/ranks/rank_group.h"

namespace eyrie::cuda {

class LocalTeam : public RankTeam {
 public:
  explicit LocalTeam(int ranks);

  std::unique_ptr<RankGroup> member(int rank, const Device& device, int64_t count_max) override;

 private:
  class Member;

  /// All ranks' threads wait for each other. Throws engine_closed after abort().
  void meet();
  void abort() noexcept;

  const int ranks_;
  std::vector<Member*> members_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  int waiting_ = 0;
  uint64_t round_ = 0;
  bool aborted_ = false;
};

}  // namespace eyrie::cuda
