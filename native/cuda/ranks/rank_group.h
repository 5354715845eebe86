#pragma once
// Ranks that hold one model together, each a share of the heads and of the feed-forward part, each on a thread of its own with a stream
// of its own.

#include <cstdint>
#include <memory>

#include "cuda/device.h"
#include "numbers/bfloat16.h"

namespace eyrie::cuda {

/// One rank's view of the group.
class RankGroup {
 public:
  virtual ~RankGroup() = default;
  /// Whether sum() may be recorded in a graph.
  virtual bool captures() const = 0;
  /// values [count] become the sums over all ranks, in the order of the ranks: all ranks get equal bytes, and they do not depend on
  /// count. Called by all ranks, in the same order. count is a multiple of 8, at most what the group was opened with.
  virtual void sum(Stream& stream, bf16* values, int64_t count) = 0;
  /// Another rank has failed and will not come: whoever waits for it, or would, throws engine_closed. Called by any thread.
  virtual void abort() noexcept = 0;
};

/// What the ranks meet in; it outlives its members.
class RankTeam {
 public:
  virtual ~RankTeam() = default;
  /// The view of `rank`, asked for on its thread. count_max: of sum().
  virtual std::unique_ptr<RankGroup> member(int rank, const Device& device, int64_t count_max) = 0;
};

/// Over cards that NCCL joins; in emulation over ranks that share the memory of the CPU. Throws unsupported_device where that cannot be.
std::unique_ptr<RankTeam> open_team(int ranks);

}  // namespace eyrie::cuda
