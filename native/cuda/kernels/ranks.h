#pragma once
// Sums over the ranks that hold one model together. The order is that of the ranks, whatever is summed and how much of it.

#include <cstdint>

#include "cuda/device.h"
#include "numbers/bfloat16.h"

namespace eyrie::cuda {

inline constexpr int kRanksMax = 8;

/// The same values of each rank, in memory that the card can read.
struct RankSources {
  const bf16* of[kRanksMax] = {};
};

/// a += b, rounded once. count is a multiple of 8, pointers of 16 bytes, here and below.
void add_partials(Stream& stream, bf16* a, const bf16* b, int64_t count);

/// out = the sum over ranks 0, 1, ... in float32, rounded once. `out` may be none of the sources.
void sum_ranks(Stream& stream, const RankSources& sources, int ranks, int64_t count, bf16* out);

}  // namespace eyrie::cuda
