#pragma once
// Ranks that hold one model together, each a share of the heads and of the feed-forward part, each on a thread of its own with a stream
// of its own.

#include <cstdint>

#include "cuda/device.h"
#include "numbers/bfloat16.h"

namespace eyrie::cuda {

/// One rank's view of the group.
class RankGroup {
 public:
  virtual ~RankGroup() = default;
  virtual int rank() const = 0;
  virtual int ranks() const = 0;
  /// Whether sum() may be recorded in a graph.
  virtual bool captures() const = 0;
  /// attention [count] and mlp [count] become the sums over all ranks, in an order that does not depend on count: all ranks get equal
  /// bytes. Called by all ranks, in the same order.
  virtual void sum(Stream& stream, bf16* attention, bf16* mlp, int64_t count) = 0;
};

}  // namespace eyrie::cuda
