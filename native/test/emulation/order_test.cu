// The order of blocks and threads is open, as on a card: a kernel that depends on it gives different results for different seeds.

#include <gtest/gtest.h>

#include <set>

#include "card.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda {
namespace {

class OrderOfThreads : public testing::Test {
 protected:
  /// How many different results `seeds` seeds give.
  template <class Kernel>
  size_t results(Kernel kernel, uint64_t seeds = test::kSeeds) {
    std::set<std::vector<int>> seen;
    for (uint64_t seed = 1; seed <= seeds; ++seed) {
      emulation::set_seed(seed);
      DeviceBuffer out = card.put(std::vector<int>(kBlocks * kThreads, 0));
      EYRIE_LAUNCH(kernel, kBlocks, kThreads, kThreads * sizeof(int), card.stream, out.as<int>());
      seen.insert(card.get<int>(out));
    }
    return seen.size();
  }
  static constexpr int kBlocks = 8, kThreads = 64;
  test::Card card;
};

template <bool kWithBarrier>
__global__ void reverse(int* out) {
  int* slots = shared_memory<int>();
  slots[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (kWithBarrier) __syncthreads();
  out[blockIdx.x * blockDim.x + threadIdx.x] = slots[blockDim.x - 1 - threadIdx.x];
}

TEST_F(OrderOfThreads, AMissingBarrierShows) {
  EXPECT_GT(results(reverse<false>), test::kSeeds / 2);
  EXPECT_EQ(results(reverse<true>), 1u);
}

/// Warp 0 hands over to warp 1, both have barriers, but one between reading and the next writing is missing.
template <bool kWithBarrier>
__global__ void hand_over(int* out) {
  int* slots = shared_memory<int>();
  const int lane = static_cast<int>(threadIdx.x % 32);
  int sum = 0;
  for (int round = 0; round < 4; ++round) {
    if (threadIdx.x < 32) slots[lane] = round * 100 + lane;
    __syncthreads();
    if (threadIdx.x >= 32) sum += slots[31 - lane];
    if (kWithBarrier) __syncthreads();
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum;
}

TEST_F(OrderOfThreads, AMissingSecondBarrierShows) {
  EXPECT_GT(results(hand_over<false>), 1u);
  EXPECT_EQ(results(hand_over<true>), 1u);
}

/// Lanes of one warp do not run in lock step.
template <bool kWithBarrier>
__global__ void within_a_warp(int* out) {
  int* slots = shared_memory<int>();
  slots[threadIdx.x] = static_cast<int>(threadIdx.x);
  if (kWithBarrier) __syncwarp();
  out[blockIdx.x * blockDim.x + threadIdx.x] = slots[threadIdx.x ^ 1];
}

TEST_F(OrderOfThreads, AMissingWarpBarrierShows) {
  EXPECT_GT(results(within_a_warp<false>), test::kSeeds / 2);
  EXPECT_EQ(results(within_a_warp<true>), 1u);
}

__global__ void number_of_arrival(int* out) { out[blockIdx.x * blockDim.x + threadIdx.x + 1] = atomicAdd(out, 1); }

TEST_F(OrderOfThreads, BlocksComeInAnyOrder) {
  std::set<std::vector<int>> seen;
  std::set<int> first;
  for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
    emulation::set_seed(seed);
    DeviceBuffer out = card.put(std::vector<int>(kBlocks + 1, 0));
    EYRIE_LAUNCH(number_of_arrival, kBlocks, 1, 0, card.stream, out.as<int>());
    const std::vector<int> got = card.get<int>(out);
    EXPECT_EQ(got[0], kBlocks);
    seen.insert(got);
    for (int block = 0; block < kBlocks; ++block) {
      if (got[block + 1] == 0) first.insert(block);
    }
  }
  EXPECT_GT(seen.size(), test::kSeeds / 2);
  EXPECT_GT(first.size(), 4u);
}

TEST_F(OrderOfThreads, OneSeedGivesOneOrder) {
  std::set<std::vector<int>> seen;
  for (int i = 0; i < 5; ++i) {
    emulation::set_seed(3);
    DeviceBuffer out = card.put(std::vector<int>(kBlocks * kThreads + 1, 0));
    EYRIE_LAUNCH(number_of_arrival, kBlocks, kThreads, 0, card.stream, out.as<int>());
    seen.insert(card.get<int>(out));
  }
  EXPECT_EQ(seen.size(), 1u);
}

/// The last block to come finishes for all.
__global__ void last_block_sums(int* parts, unsigned* arrived, int* out) {
  if (threadIdx.x == 0) parts[blockIdx.x] = static_cast<int>(blockIdx.x) + 1;
  __threadfence();
  if (threadIdx.x == 0 && atomicAdd(arrived, 1) == gridDim.x - 1) {
    int sum = 0;
    for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
    *out = sum;
  }
}

TEST_F(OrderOfThreads, LastBlockSeesAllOthers) {
  for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
    emulation::set_seed(seed);
    DeviceBuffer parts = card.device.alloc(kBlocks * sizeof(int)), arrived = card.put(std::vector<unsigned>{0}),
                 out = card.device.alloc(sizeof(int));
    EYRIE_LAUNCH(last_block_sums, kBlocks, 64, 0, card.stream, parts.as<int>(), arrived.as<unsigned>(), out.as<int>());
    EXPECT_EQ(card.get<int>(out)[0], kBlocks * (kBlocks + 1) / 2);
  }
}

}  // namespace
}  // namespace eyrie::cuda
