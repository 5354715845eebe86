#pragma once
// The best tokens of a view without sorting it: the shortest run in descending order (equal logits: ascending id) whose measures reach a
// limit. A histogram over the distance from the best logit says in which bin the limit falls, the tokens up to that bin are gathered in
// shared memory where they fit (nearly always), and histograms over ever narrower ranges of keys find the last token exactly.

#include "cuda/kernels/sampler/view.h"

namespace eyrie::cuda::sampler {

/// The last token of a run: kept are those with a higher key, and those with the same key up to the position.
struct Edge {
  uint32_t key;
  int position;

  __device__ __forceinline__ bool keeps(float z, int p) const {
    const uint32_t k = key_of(z);
    return k > key || (k == key && p <= position);
  }
};
/// All tokens but those of -infinity.
__device__ __forceinline__ Edge everything() { return {kKeyOfMinusInfinity, -1}; }

enum class Measure : uint8_t { count, mass };

__device__ __forceinline__ uint64_t measure_of(Measure measure, const View& view, float z) {
  return measure == Measure::count ? 1 : view.mass(z);
}

__device__ __forceinline__ void clear_histogram(const Shared& shared) {
  for (int i = static_cast<int>(threadIdx.x); i < kBins; i += kThreads) {
    shared.low[i] = 0;
    shared.high[i] = 0;
  }
  __syncthreads();
}

/// A 64-bit addition by atomics of 32 bits: the carries are as many as the wraps of the lower half, in whatever order.
__device__ __forceinline__ void add_to_bin(const Shared& shared, int bin, uint64_t amount) {
  if (amount == 0) return;
  const uint32_t low = static_cast<uint32_t>(amount);
  uint32_t high = static_cast<uint32_t>(amount >> 32);
  if (atomicAdd(&shared.low[bin], low) > 0xffffffffu - low) ++high;
  if (high != 0) atomicAdd(&shared.high[bin], high);
}

/// The first bin at which the sum reaches the limit, and the sum before it. False: the whole does not. `limit_of` makes the limit (at
/// least 1) of the whole.
template <class LimitOf>
__device__ __forceinline__ bool find_bin(const Shared& shared, LimitOf limit_of, int* bin, uint64_t* before, uint64_t* limit_out) {
  constexpr int kEach = kBins / kThreads;
  const int first = static_cast<int>(threadIdx.x) * kEach;
  __syncthreads();
  uint64_t sums[kEach], own = 0, total;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    sums[i] = uint64_t{shared.high[first + i]} << 32 | shared.low[first + i];
    own += sums[i];
  }
  uint64_t reached = block_sum_before(own, shared.slots, &total);
  const uint64_t limit = limit_of(total);
  *limit_out = limit;
  if (total < limit) return false;
  if (reached < limit && limit <= reached + own) {
    int i = 0;
#pragma unroll
    for (int j = 0; j + 1 < kEach; ++j) {  // no index that is known only at run time: the sums stay in registers
      if (i == j && reached + sums[j] < limit) {
        reached += sums[j];
        ++i;
      }
    }
    shared.crossing[0] = static_cast<uint64_t>(first + i);
    shared.crossing[1] = reached;
  }
  __syncthreads();
  *bin = static_cast<int>(shared.crossing[0]);
  *before = shared.crossing[1];
  __syncthreads();
  return true;
}

/// 64 bins a nat; the last one takes what is 32 nats or more below the best.
__device__ __forceinline__ int bin_of(const View& view, float z) {
  const float distance = (view.best - z) * 64.0f;
  return distance < static_cast<float>(kBins - 1) ? static_cast<int>(distance) : kBins - 1;
}

/// Replaces the view of a row by a list of its tokens that wanted(position, logit) names, when there are not too many.
template <class Wanted>
__device__ __forceinline__ bool gather(View& view, const Shared& shared, Wanted wanted) {
  const int words = words_of(view.count), warp = static_cast<int>(threadIdx.x / 32), lane = static_cast<int>(threadIdx.x % 32);
  for (int word = warp; word < words; word += kWarps) {
    const int position = word * 32 + lane;
    const bool is_wanted = position < view.count && wanted(position, view.at(position));
    const uint32_t bits = __ballot_sync(kAllLanes, is_wanted);
    if (lane == 0) shared.bitmap[word] = bits;
  }
  __syncthreads();
  const int each = (words + kThreads - 1) / kThreads, first = static_cast<int>(threadIdx.x) * each;
  uint64_t own = 0, total;
  for (int i = first; i < first + each && i < words; ++i) own += static_cast<uint64_t>(__popc(shared.bitmap[i]));
  const uint64_t before = block_sum_before(own, shared.slots, &total);
  if (total > kListMax) return false;
  int at = static_cast<int>(before);
  for (int i = first; i < first + each && i < words; ++i) {
    for (uint32_t bits = shared.bitmap[i]; bits != 0; bits &= bits - 1) {
      const int position = i * 32 + __ffs(static_cast<int>(bits)) - 1;
      shared.list[at] = view.at(position);
      shared.list_ids[at++] = position;
    }
  }
  __syncthreads();
  view.values = shared.list;
  view.ids = shared.list_ids;
  view.count = static_cast<int>(total);
  view.scale = 1.0f;  // the list holds scaled logits
  return true;
}

/// The lowest and the highest key among those that belongs(position, logit) names; there is one.
template <class Belongs>
__device__ __forceinline__ void key_range(const View& view, const Shared& shared, Belongs belongs, uint32_t* lowest, uint32_t* highest) {
  uint32_t low = 0xffffffffu, high = 0;
  for_each(view, [&](int position, float z) {
    if (!belongs(position, z)) return;
    const uint32_t key = key_of(z);
    low = key < low ? key : low;
    high = key > high ? key : high;
  });
  *lowest = ~static_cast<uint32_t>(block_max(static_cast<uint32_t>(~low), shared.slots));
  *highest = static_cast<uint32_t>(block_max(high, shared.slots));
}

/// Of the tokens that `kept` keeps, the shortest run of the best whose measures reach limit_of(sum of the measures of all of them), which
/// is at least 1. When they do not reach it, all are kept. A view of a whole row becomes one of a list where it can.
template <class LimitOf>
__device__ __forceinline__ void keep_best_run(View& view, const Shared& shared, Edge& kept, Measure measure, LimitOf limit_of) {
  clear_histogram(shared);
  for_each(view, [&](int position, float z) {
    if (kept.keeps(z, position)) add_to_bin(shared, bin_of(view, z), measure_of(measure, view, z));
  });
  int bin = 0;
  uint64_t before = 0, limit = 0;
  if (!find_bin(shared, limit_of, &bin, &before, &limit)) return;
  if (view.ids == nullptr &&
      gather(view, shared, [&](int position, float z) { return kept.keeps(z, position) && bin_of(view, z) <= bin; })) {
    kept = everything();
  }
  uint32_t low, high;
  key_range(view, shared, [&](int position, float z) { return kept.keeps(z, position) && bin_of(view, z) == bin; }, &low, &high);
  while (low < high) {
    // 32 - clz bits hold the width of the range: shifted, it fits the bins.
    const int bits = 32 - __clz(static_cast<int>(high - low)), shift = bits > 11 ? bits - 11 : 0;
    clear_histogram(shared);
    for_each(view, [&](int position, float z) {
      const uint32_t key = key_of(z);
      if (key < low || key > high || !kept.keeps(z, position)) return;
      add_to_bin(shared, static_cast<int>((high - key) >> shift), measure_of(measure, view, z));
    });
    uint64_t inside = 0, rest = 0;
    find_bin(shared, [=](uint64_t) { return limit - before; }, &bin, &inside, &rest);
    before += inside;
    high -= static_cast<uint32_t>(bin) << shift;
    const uint32_t width = (1u << shift) - 1;
    low = high - low > width ? high - width : low;
  }
  // Tokens of one key have one measure; the first so many of them are needed.
  const uint64_t each = measure_of(measure, view, value_of(high));
  const uint64_t needed = (limit - before + each - 1) / each;
  const auto equal = [&](int position, float z) { return static_cast<uint64_t>(key_of(z) == high && kept.keeps(z, position) ? 1 : 0); };
  sum_chunks(view, shared, equal);
  kept = {high, find_position(view, shared, needed - 1, equal)};
}

}  // namespace eyrie::cuda::sampler
