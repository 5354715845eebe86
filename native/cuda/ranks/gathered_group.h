#pragma once
// A group over several cards: each rank gathers the values of all and sums them itself, in the order of the ranks.

#include <array>
#include <cstddef>
#include <memory>

#include "cuda/ranks/gather_border.h"
#include "cuda/ranks/rank_group.h"

namespace eyrie::cuda {

/// libeyrie_nccl.so, opened from the folder of the CUDA library and never closed.
struct GatherLibrary {
  decltype(&eyrie_gather_id) make_id = nullptr;
  decltype(&eyrie_gather_open) open = nullptr;
  decltype(&eyrie_gather) gather = nullptr;
  decltype(&eyrie_gather_abort) abort = nullptr;
  decltype(&eyrie_gather_close) close = nullptr;
};

class GatheredTeam : public RankTeam {
 public:
  /// Throws unsupported_device without the library, or without NCCL.
  explicit GatheredTeam(int ranks);
  /// Waits for all ranks.
  std::unique_ptr<RankGroup> member(int rank, const Device& device, int64_t count_max) override;

 private:
  int ranks_;
  GatherLibrary library_;
  std::array<std::byte, kEyrieGatherIdBytes> id_{};
};

}  // namespace eyrie::cuda
