// Barriers, shuffles and votes against values computed by hand.

#include <gtest/gtest.h>

#include "card.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda {
namespace {

constexpr unsigned kAll = 0xffffffffu;

class Collectives : public testing::TestWithParam<uint64_t> {
 protected:
  void SetUp() override { emulation::set_seed(GetParam()); }
  test::Card card;
};
INSTANTIATE_TEST_SUITE_P(Seeds, Collectives, testing::Range<uint64_t>(1, 6));

/// Each round every thread reads what its neighbour wrote in the round before.
__global__ void pass_around(int* out, int rounds) {
  int* slots = shared_memory<int>();
  const int self = static_cast<int>(threadIdx.x), count = static_cast<int>(blockDim.x);
  slots[self] = self;
  for (int round = 0; round < rounds; ++round) {
    __syncthreads();
    const int value = slots[(self + 1) % count];
    __syncthreads();
    slots[self] = value;
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = slots[self];
}

TEST_P(Collectives, BarriersSeparateRounds) {
  constexpr int kBlocks = 3, kThreads = 100, kRounds = 7;
  DeviceBuffer out = card.device.alloc(kBlocks * kThreads * sizeof(int));
  EYRIE_LAUNCH(pass_around, kBlocks, kThreads, kThreads * sizeof(int), card.stream, out.as<int>(), kRounds);
  const std::vector<int> got = card.get<int>(out);
  for (int i = 0; i < kBlocks * kThreads; ++i) EXPECT_EQ(got[i], (i % kThreads + kRounds) % kThreads) << i;
}

__global__ void early_end(int* out) {
  int* slots = shared_memory<int>();
  if (threadIdx.x >= 40) return;
  slots[threadIdx.x] = 1;
  __syncthreads();
  int sum = 0;
  for (int i = 0; i < 40; ++i) sum += slots[i];
  out[threadIdx.x] = sum;
}

TEST_P(Collectives, ABarrierWaitsForTheThreadsThatLive) {
  DeviceBuffer out = card.device.alloc(40 * sizeof(int));
  EYRIE_LAUNCH(early_end, 1, 64, 40 * sizeof(int), card.stream, out.as<int>());
  for (const int sum : card.get<int>(out)) EXPECT_EQ(sum, 40);
}

struct Shuffled {
  int indexed, narrow, exclusive, exclusive_narrow, up, up_narrow, down, down_narrow;
  double wide;
};

__global__ void shuffle_all(Shuffled* out) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  Shuffled s;
  s.indexed = __shfl_sync(kAll, lane, 5);
  s.narrow = __shfl_sync(kAll, lane, 9, 8);
  s.exclusive = __shfl_xor_sync(kAll, lane, 3);
  s.exclusive_narrow = __shfl_xor_sync(kAll, lane, 12, 8);
  s.up = __shfl_up_sync(kAll, lane, 3);
  s.up_narrow = __shfl_up_sync(kAll, lane, 3, 8);
  s.down = __shfl_down_sync(kAll, lane, 3);
  s.down_narrow = __shfl_down_sync(kAll, lane, 3, 8);
  s.wide = __shfl_xor_sync(kAll, 0.5 + lane, 16);
  out[threadIdx.x] = s;
}

TEST_P(Collectives, ShufflesAreThoseOfTheGuide) {
  DeviceBuffer out = card.device.alloc(64 * sizeof(Shuffled));
  EYRIE_LAUNCH(shuffle_all, 1, 64, 0, card.stream, out.as<Shuffled>());
  const std::vector<Shuffled> got = card.get<Shuffled>(out);
  for (int i = 0; i < 64; ++i) {
    const int lane = i % 32, first = lane / 8 * 8;
    EXPECT_EQ(got[i].indexed, 5);
    EXPECT_EQ(got[i].narrow, first + 1);  // lane 9 of a segment of 8 is its lane 1
    EXPECT_EQ(got[i].exclusive, lane ^ 3);
    // A lower segment may be read, a higher one gives the lane's own value.
    EXPECT_EQ(got[i].exclusive_narrow, (lane ^ 12) < first + 8 ? lane ^ 12 : lane);
    EXPECT_EQ(got[i].up, lane < 3 ? lane : lane - 3);
    EXPECT_EQ(got[i].up_narrow, lane - first < 3 ? lane : lane - 3);
    EXPECT_EQ(got[i].down, lane + 3 > 31 ? lane : lane + 3);
    EXPECT_EQ(got[i].down_narrow, lane + 3 > first + 7 ? lane : lane + 3);
    EXPECT_EQ(got[i].wide, 0.5 + (lane ^ 16));
  }
}

__global__ void halves(unsigned* out) {
  const unsigned lane = threadIdx.x;
  unsigned bits;
  if (lane < 16) {
    bits = __ballot_sync(0x0000ffffu, lane % 3 == 0);
  } else {
    bits = __ballot_sync(0xffff0000u, lane % 5 == 0);
    __syncwarp(0xffff0000u);
  }
  out[lane] = bits;
}

TEST_P(Collectives, TwoMasksOfOneWarpDoNotMeet) {
  DeviceBuffer out = card.device.alloc(32 * sizeof(unsigned));
  EYRIE_LAUNCH(halves, 1, 32, 0, card.stream, out.as<unsigned>());
  const std::vector<unsigned> got = card.get<unsigned>(out);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(got[i], i < 16 ? 0x00009249u : 0x42100000u) << i;
}

struct Votes {
  unsigned ballot;
  int any, none, all, not_all;
};

__global__ void vote_all(Votes* out) {
  const int lane = static_cast<int>(threadIdx.x);
  Votes v;
  v.ballot = __ballot_sync(kAll, lane >= 30);
  v.any = __any_sync(kAll, lane == 7);
  v.none = __any_sync(kAll, lane == 32);
  v.all = __all_sync(kAll, lane < 32);
  v.not_all = __all_sync(kAll, lane < 31);
  out[lane] = v;
}

TEST_P(Collectives, VotesCountTheLanesOfTheMask) {
  DeviceBuffer out = card.device.alloc(32 * sizeof(Votes));
  EYRIE_LAUNCH(vote_all, 1, 32, 0, card.stream, out.as<Votes>());
  for (const Votes& v : card.get<Votes>(out)) {
    EXPECT_EQ(v.ballot, 0xc0000000u);
    EXPECT_EQ(v.any, 1);
    EXPECT_EQ(v.none, 0);
    EXPECT_EQ(v.all, 1);
    EXPECT_EQ(v.not_all, 0);
  }
}

struct Counters {
  int sum, largest, smallest;
  unsigned bits, exchanged;
  unsigned long long wide, swapped;
};

__global__ void count(Counters* c) {
  const int self = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(&c->sum, self);
  atomicMax(&c->largest, self);
  atomicMin(&c->smallest, -self);
  atomicOr(&c->bits, 1u << (self % 32));
  atomicExch(&c->exchanged, 9u);
  atomicAdd(&c->wide, 1ull << 32);
  atomicCAS(&c->swapped, static_cast<unsigned long long>(self), static_cast<unsigned long long>(self) + 1);
}

TEST_P(Collectives, AtomicsLoseNothing) {
  DeviceBuffer counters = card.put(std::vector<Counters>{Counters{}});
  EYRIE_LAUNCH(count, 4, 50, 0, card.stream, counters.as<Counters>());
  const Counters c = card.get<Counters>(counters)[0];
  EXPECT_EQ(c.sum, 199 * 200 / 2);
  EXPECT_EQ(c.largest, 199);
  EXPECT_EQ(c.smallest, -199);
  EXPECT_EQ(c.bits, kAll);
  EXPECT_EQ(c.exchanged, 9u);
  EXPECT_EQ(c.wide, 200ull << 32);
  EXPECT_GE(c.swapped, 1u);
}

__global__ void indices(unsigned* out) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  out[block * blockDim.x * blockDim.y * blockDim.z + thread] += block * 1000 + thread;
}

TEST_P(Collectives, EveryThreadOfEveryBlockRunsOnce) {
  constexpr int kBlocks = 2 * 3 * 5, kThreads = 4 * 3 * 2;
  DeviceBuffer out = card.put(std::vector<unsigned>(kBlocks * kThreads, 7));
  EYRIE_LAUNCH(indices, dim3(2, 3, 5), dim3(4, 3, 2), 0, card.stream, out.as<unsigned>());
  const std::vector<unsigned> got = card.get<unsigned>(out);
  for (unsigned i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], 7 + i / kThreads * 1000 + i % kThreads);
}

}  // namespace
}  // namespace eyrie::cuda
