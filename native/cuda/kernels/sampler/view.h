#pragma once
// The tokens that a block looks at: a row of logits, or a list of the best of them in shared memory. Positions ascend with ids.

#include <cstdint>

#include "cuda/kernels/sampler/block.h"
#include "numbers/bits.h"
#include "numbers/exp.h"
#include "sampling/masses.h"
#include "sampling/sampling_params.h"

namespace eyrie::cuda::sampler {

/// Bins of a histogram, and blocks of a row whose masses are summed.
inline constexpr int kBins = 2048;
inline constexpr int kChunk = 1024;
inline constexpr int kListMax = 2048;

/// Shared memory of a block. A bitmap of the row and the histogram are never needed at once.
struct Shared {
  uint64_t* slots;     // [kWarps]
  uint64_t* top;       // [kTopLogprobsMax] the best tokens, unordered
  uint64_t* chunks;    // [chunks of the row] sums
  uint64_t* crossing;  // [2] the answer of one thread to all
  float* list;         // [kListMax] values
  int32_t* list_ids;   // [kListMax]
  uint32_t* counter;   // [1]
  uint32_t* low;       // [kBins] histogram of 64-bit sums, the lower halves
  uint32_t* high;      // [kBins]
  uint32_t* bitmap;    // [words of the row]
};

__host__ __device__ __forceinline__ int chunks_of(int vocab) { return (vocab + kChunk - 1) / kChunk; }
__host__ __device__ __forceinline__ int words_of(int vocab) { return (vocab + 31) / 32; }

__host__ __device__ __forceinline__ size_t shared_bytes(int vocab) {
  const int words = words_of(vocab) > 2 * kBins ? words_of(vocab) : 2 * kBins;
  return sizeof(uint64_t) * static_cast<size_t>(kWarps + kTopLogprobsMax + chunks_of(vocab) + 2) +
         (sizeof(float) + sizeof(int32_t)) * static_cast<size_t>(kListMax) + sizeof(uint32_t) * static_cast<size_t>(1 + words);
}

__device__ __forceinline__ Shared divide_shared(int vocab) {
  Shared s;
  s.slots = shared_memory<uint64_t>();
  s.top = s.slots + kWarps;
  s.chunks = s.top + kTopLogprobsMax;
  s.crossing = s.chunks + chunks_of(vocab);
  s.list = reinterpret_cast<float*>(s.crossing + 2);
  s.list_ids = reinterpret_cast<int32_t*>(s.list + kListMax);
  s.counter = reinterpret_cast<uint32_t*>(s.list_ids + kListMax);
  s.bitmap = s.counter + 1;
  s.low = s.bitmap;
  s.high = s.low + kBins;
  return s;
}

/// Keys order logits: -0 and 0 are equal, a NaN is above all.
__device__ __forceinline__ uint32_t key_of(float z) {
  const uint32_t bits = bits_of(z);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0xffffffffu;
  if (bits == 0x80000000u) return 0x80000000u;
  return (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float value_of(uint32_t key) { return float_of((key & 0x80000000u) != 0 ? key & 0x7fffffffu : ~key); }

inline constexpr uint32_t kKeyOfNan = 0xffffffffu;
inline constexpr uint32_t kKeyOfInfinity = 0xff800000u;
inline constexpr uint32_t kKeyOfMinusInfinity = 0x007fffffu;

struct View {
  const float* values;  // logits before they are scaled
  const int32_t* ids;   // null: a position is the id
  int count;
  float scale;  // 1 / temperature
  float best;   // the largest scaled logit

  __device__ __forceinline__ float at(int position) const { return values[position] * scale; }
  __device__ __forceinline__ int id(int position) const { return ids == nullptr ? position : ids[position]; }
  __device__ __forceinline__ uint64_t mass(float z) const { return mass_of(exp_one(z - best)); }
};

/// visit(position, logit) for all of them, a thread taking every kThreads-th. Loads go ahead of what is done with them.
template <class Visit>
__device__ __forceinline__ void for_each(const View& view, Visit visit) {
  constexpr int kAhead = 4;
  int position = static_cast<int>(threadIdx.x);
  for (; position + (kAhead - 1) * kThreads < view.count; position += kAhead * kThreads) {
    float z[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) z[i] = view.at(position + i * kThreads);
#pragma unroll
    for (int i = 0; i < kAhead; ++i) visit(position + i * kThreads, z[i]);
  }
  for (; position < view.count; position += kThreads) visit(position, view.at(position));
}

/// The largest logit and the lowest of its ids, as (key, ~id).
__device__ __forceinline__ uint64_t best_of(const View& view, const Shared& shared) {
  uint64_t best = 0;
  for_each(view, [&](int position, float z) {
    const uint64_t candidate = uint64_t{key_of(z)} << 32 | static_cast<uint32_t>(~position);
    best = candidate > best ? candidate : best;
  });
  return block_max(best, shared.slots);
}

/// Sums measure(position, logit) over chunks of positions into shared.chunks; the return value is the sum of all.
template <class Measure>
__device__ __forceinline__ uint64_t sum_chunks(const View& view, const Shared& shared, Measure measure) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  uint64_t all = 0;
  for (int chunk = static_cast<int>(threadIdx.x / 32); chunk < chunks_of(view.count); chunk += kWarps) {
    constexpr int kAhead = 4;
    uint64_t sum = 0;
    for (int row = 0; row < kChunk / 32; row += kAhead) {
      const int position = chunk * kChunk + row * 32 + lane;
      float z[kAhead];
#pragma unroll
      for (int i = 0; i < kAhead; ++i) z[i] = position + i * 32 < view.count ? view.at(position + i * 32) : 0.0f;
#pragma unroll
      for (int i = 0; i < kAhead; ++i) sum += position + i * 32 < view.count ? measure(position + i * 32, z[i]) : 0;
    }
    all += sum;
    sum = warp_sum(sum);
    if (lane == 0) shared.chunks[chunk] = sum;
  }
  return block_sum(all, shared.slots);
}

/// After sum_chunks(): the lowest position at which the sum up to it exceeds `target`, which is below the sum of all.
template <class Measure>
__device__ __forceinline__ int find_position(const View& view, const Shared& shared, uint64_t target, Measure measure) {
  int chunk = 0;
  while (target >= shared.chunks[chunk]) target -= shared.chunks[chunk++];
  constexpr int kEach = kChunk / kThreads;
  const int first = chunk * kChunk + static_cast<int>(threadIdx.x) * kEach;
  uint64_t measures[kEach], own = 0, total;
#pragma unroll
  for (int i = 0; i < kEach; ++i) {
    measures[i] = first + i < view.count ? measure(first + i, view.at(first + i)) : 0;
    own += measures[i];
  }
  uint64_t before = block_sum_before(own, shared.slots, &total);
  if (before <= target && target < before + own) {
    int i = 0;
#pragma unroll
    for (int j = 0; j + 1 < kEach; ++j) {  // no index that is known only at run time: the measures stay in registers
      if (i == j && before + measures[j] <= target) {
        before += measures[j];
        ++i;
      }
    }
    shared.crossing[0] = static_cast<uint64_t>(first + i);
  }
  __syncthreads();
  const int position = static_cast<int>(shared.crossing[0]);
  __syncthreads();
  return position;
}

}  // namespace eyrie::cuda::sampler
