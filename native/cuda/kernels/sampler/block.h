#pragma once
// What all threads of a block find out together. Every function is called by all threads and gives all of them the same answer; the
// operations are on integers, so the order of the threads does not matter.

#include <cstdint>

#include "cuda/kernels/launch.h"

namespace eyrie::cuda::sampler {

inline constexpr int kThreads = 512;
inline constexpr int kWarps = kThreads / 32;
inline constexpr uint32_t kAllLanes = 0xffffffffu;

/// `slots`: shared [kWarps], in use until the return.
__device__ __forceinline__ uint64_t block_max(uint64_t value, uint64_t* slots) {
  for (int step = 16; step > 0; step /= 2) {
    const uint64_t other = __shfl_xor_sync(kAllLanes, value, step);
    value = other > value ? other : value;
  }
  if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;
  __syncthreads();
  value = slots[0];
  for (int w = 1; w < kWarps; ++w) value = slots[w] > value ? slots[w] : value;
  __syncthreads();
  return value;
}

__device__ __forceinline__ uint64_t warp_sum(uint64_t value) {
  for (int step = 16; step > 0; step /= 2) value += __shfl_xor_sync(kAllLanes, value, step);
  return value;
}

__device__ __forceinline__ uint64_t block_sum(uint64_t value, uint64_t* slots) {
  value = warp_sum(value);
  if (threadIdx.x % 32 == 0) slots[threadIdx.x / 32] = value;
  __syncthreads();
  value = 0;
  for (int w = 0; w < kWarps; ++w) value += slots[w];
  __syncthreads();
  return value;
}

/// Sum of the values of all threads before this one; `total` is that of all.
__device__ __forceinline__ uint64_t block_sum_before(uint64_t value, uint64_t* slots, uint64_t* total) {
  const int lane = static_cast<int>(threadIdx.x % 32), warp = static_cast<int>(threadIdx.x / 32);
  uint64_t sum = value;
  for (int step = 1; step < 32; step *= 2) {
    const uint64_t other = __shfl_up_sync(kAllLanes, sum, static_cast<unsigned>(step));
    if (lane >= step) sum += other;
  }
  if (lane == 31) slots[warp] = sum;
  __syncthreads();
  uint64_t before = 0, all = 0;
  for (int w = 0; w < kWarps; ++w) {
    if (w < warp) before += slots[w];
    all += slots[w];
  }
  __syncthreads();
  *total = all;
  return before + sum - value;
}

}  // namespace eyrie::cuda::sampler
