// Pages of the cache: the scheduler's arithmetic, nothing lost and nothing held twice.

#include "cuda/pass/kv_pages.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "test/support/expect_error.h"

namespace eyrie::cuda {
namespace {

using test::expect_error;

std::vector<int32_t> pages_of(const KvPages& pages, uint32_t slot) {
  const auto row = pages.table().subspan(size_t{slot} * pages.pages_per_slot(), pages.pages_per_slot());
  return {row.begin(), row.end()};
}

TEST(KvPagesTest, CountsPagesAsTheSchedulerDoes) {
  EXPECT_EQ(KvPages::pages_for(0), 0u);
  EXPECT_EQ(KvPages::pages_for(1), 1u);
  EXPECT_EQ(KvPages::pages_for(256), 1u);
  EXPECT_EQ(KvPages::pages_for(257), 2u);
  EXPECT_EQ(KvPages(2, 2048, 4).pages_per_slot(), 8u);
  EXPECT_EQ(KvPages(2, 2049, 4).pages_per_slot(), 9u);
}

TEST(KvPagesTest, KeepsTheFirstPagesOfASlotThatGrowsOrShrinks) {
  KvPages pages(2, 1024, 6);
  pages.open(0, 300);
  const std::vector<int32_t> before = pages_of(pages, 0);
  EXPECT_EQ(before, (std::vector<int32_t>{0, 1, -1, -1}));
  pages.open(0, 1000);
  EXPECT_EQ(pages_of(pages, 0), (std::vector<int32_t>{0, 1, 2, 3}));
  pages.open(0, 1);
  EXPECT_EQ(pages_of(pages, 0), (std::vector<int32_t>{0, -1, -1, -1}));
  EXPECT_EQ(pages.free_pages(), 5u);
  pages.release(0);
  EXPECT_EQ(pages.free_pages(), 6u);
  EXPECT_EQ(pages_of(pages, 0), (std::vector<int32_t>{-1, -1, -1, -1}));
}

TEST(KvPagesTest, RefusesWhatDoesNotFitAndChangesNothing) {
  KvPages pages(3, 512, 3);
  pages.open(0, 512);
  expect_error(ErrorCode::internal_error, "only 1 of 3 are free", [&] { pages.open(1, 257); });
  EXPECT_EQ(pages.held(1), 0u);
  EXPECT_EQ(pages.free_pages(), 1u);
  expect_error(ErrorCode::internal_error, "at most 512", [&] { pages.open(1, 513); });
}

TEST(KvPagesTest, HoldsEachPageOnce) {
  constexpr uint32_t kSlots = 7;
  constexpr uint32_t kPages = 19;
  KvPages pages(kSlots, 1280, kPages);
  std::mt19937 random(1);
  for (int step = 0; step < 5000; ++step) {
    const uint32_t slot = random() % kSlots;
    const uint32_t tokens = 1 + random() % 1280;
    const uint32_t wanted = KvPages::pages_for(tokens);
    if (random() % 4 == 0) {
      pages.release(slot);
      EXPECT_EQ(pages.held(slot), 0u);
    } else if (wanted <= pages.held(slot) + pages.free_pages()) {
      pages.open(slot, tokens);
      EXPECT_EQ(pages.held(slot), wanted);
    }
    std::set<int32_t> seen;
    uint32_t held = 0;
    for (uint32_t other = 0; other < kSlots; ++other) {
      const std::vector<int32_t> own = pages_of(pages, other);
      for (uint32_t i = 0; i < own.size(); ++i) {
        ASSERT_EQ(own[i] >= 0, i < pages.held(other));
        if (own[i] < 0) continue;
        ASSERT_LT(own[i], static_cast<int32_t>(kPages));
        ASSERT_TRUE(seen.insert(own[i]).second) << "page " << own[i] << " is held twice";
        ++held;
      }
    }
    ASSERT_EQ(held + pages.free_pages(), kPages);
  }
}

}  // namespace
}  // namespace eyrie::cuda
