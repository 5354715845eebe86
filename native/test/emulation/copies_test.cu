// cp.async: what a thread may count on after which wait, and nothing before.

#include <gtest/gtest.h>

#include "card.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"

namespace eyrie::cuda {
namespace {

constexpr uint32_t kPoison = 0xffffffffu;

/// Three groups of one copy each; what shared memory holds after the waits that the template names.
struct Seen {
  uint32_t first, second, third;
};

__global__ void three_groups(const uint32_t* from, Seen* out) {
  uint32_t* shared = shared_memory<uint32_t>();
  for (int i = 0; i < 12; ++i) shared[i] = 77;  // what was there before is gone at once
  for (int i = 0; i < 3; ++i) {
    cp_async_16(shared + i * 4, from + i * 4, true);
    cp_async_commit();
  }
  const auto look = [&](Seen& seen) { seen = Seen{shared[0], shared[4], shared[8]}; };
  look(out[0]);
  cp_async_wait<3>();
  look(out[1]);
  cp_async_wait<2>();
  look(out[2]);
  cp_async_wait<1>();
  look(out[3]);
  cp_async_wait<0>();
  look(out[4]);
}

TEST(AsyncCopies, ArriveWhenTheirGroupWasWaitedFor) {
  test::Card card;
  const DeviceBuffer from = card.put(std::vector<uint32_t>{1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}), out = card.device.alloc(5 * sizeof(Seen));
  EYRIE_LAUNCH(three_groups, 1, 1, 48, card.stream, from.as<uint32_t>(), out.as<Seen>());
  const std::vector<Seen> seen = card.get<Seen>(out);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(seen[i].first, i >= 2 ? 1 : kPoison) << i;
    EXPECT_EQ(seen[i].second, i >= 3 ? 2 : kPoison) << i;
    EXPECT_EQ(seen[i].third, i >= 4 ? 3 : kPoison) << i;
  }
}

__global__ void not_committed(const uint32_t* from, uint32_t* out) {
  uint32_t* shared = shared_memory<uint32_t>();
  cp_async_16(shared, from, true);
  cp_async_wait<0>();
  out[0] = shared[0];
  cp_async_commit();
  cp_async_wait<0>();
  out[1] = shared[0];
}

TEST(AsyncCopies, AGroupMustBeCommittedToBeWaitedFor) {
  test::Card card;
  const DeviceBuffer from = card.put(std::vector<uint32_t>(4, 5)), out = card.device.alloc(8);
  EYRIE_LAUNCH(not_committed, 1, 1, 16, card.stream, from.as<uint32_t>(), out.as<uint32_t>());
  EXPECT_EQ(card.get<uint32_t>(out), (std::vector<uint32_t>{kPoison, 5}));
}

__global__ void rows_with_an_end(const uint32_t* from, int rows, uint32_t* out) {
  uint32_t* shared = shared_memory<uint32_t>();
  const int row = static_cast<int>(threadIdx.x);
  cp_async_16(shared + row * 4, from + row * 4, row < rows);
  cp_async_commit();
  cp_async_commit();  // a group may be empty
  cp_async_wait<1>();
  __syncthreads();
  for (int i = 0; i < 4; ++i) out[row * 4 + i] = shared[(31 - row) * 4 + i];
}

TEST(AsyncCopies, RowsThatAreNotValidAreZeroAndNotRead) {
  test::Card card;
  for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
    emulation::set_seed(seed);
    const DeviceBuffer from = card.put(std::vector<uint32_t>(20 * 4, 9)), out = card.device.alloc(32 * 16);
    EYRIE_LAUNCH(rows_with_an_end, 1, 32, 32 * 16, card.stream, from.as<uint32_t>(), 20, out.as<uint32_t>());
    const std::vector<uint32_t> got = card.get<uint32_t>(out);
    for (int i = 0; i < 32 * 4; ++i) EXPECT_EQ(got[i], 31 - i / 4 < 20 ? 9u : 0u);
  }
}

}  // namespace
}  // namespace eyrie::cuda
