#include "engine/waiting_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <optional>

namespace eyrie::test {
namespace {

class WaitingQueueTest : public ::testing::Test {
 protected:
  void add(uint64_t id, size_t prompt_tokens, uint32_t max_tokens, uint32_t first_token = 1, bool may_copy = true) {
    prompts_.emplace_back(prompt_tokens, first_token);
    queue_.add({id, prompts_.back(), max_tokens, may_copy, false});
  }
  void add_to_group(uint32_t group, uint64_t id, size_t prompt_tokens) {
    prompts_.emplace_back(prompt_tokens, 1);
    queue_.add({id, prompts_.back(), 1, true, false, group});
  }
  void add_urgent(uint64_t id, size_t prompt_tokens) {
    prompts_.emplace_back(prompt_tokens, 1);
    queue_.add({id, prompts_.back(), 1, true, true});
  }
  std::vector<uint64_t> take_all() {
    std::vector<uint64_t> ids;
    while (const auto id = take()) ids.push_back(*id);
    return ids;
  }
  std::optional<uint64_t> take() {
    const WaitingRequest* next = queue_.next(estimate_);
    if (!next) return std::nullopt;
    const uint64_t id = next->id;
    queue_.take();
    return id;
  }

  std::deque<std::vector<uint32_t>> prompts_;
  WaitingQueue queue_;
  OutputEstimate estimate_;
};

TEST_F(WaitingQueueTest, TakesTheLongestExpectedFirstAndEqualsInOrder) {
  add(1, 10, 5);
  add(2, 20, 30);
  add(3, 30, 20);
  add(4, 40, 1);
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{2, 3, 4, 1}));
}

TEST_F(WaitingQueueTest, ExpectsNoMoreThanTheRunningQuantile) {
  for (int i = 0; i < 300; ++i) estimate_.record(8);
  add(1, 10, 2000);
  add(2, 30, 5);
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{2, 1}));
}

TEST_F(WaitingQueueTest, KeepsRequestsOfOnePrefixTogether) {
  add(1, 200, 1, 7);
  add(2, 150, 1, 8);
  add(3, 100, 1, 7);
  add(4, 90, 1, 8);
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{1, 3, 2, 4}));
}

TEST_F(WaitingQueueTest, SeesNoPrefixWhereNothingMayBeCopied) {
  add(1, 200, 1, 7, false);
  add(2, 150, 1, 8);
  add(3, 100, 1, 7, false);
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{1, 2, 3}));
}

TEST_F(WaitingQueueTest, DoesNotStarveTheShort) {
  add(1, 1, 1);
  uint64_t taken = 0;
  for (uint64_t id = 2;; ++id) {
    add_to_group(1, id, 50);
    if (take() == 1) break;
    ASSERT_LT(++taken, 10'000u);
  }
  EXPECT_EQ(taken, 64u);
}

TEST_F(WaitingQueueTest, TakesTheLongestOfOneGroupFirstHoweverManyThereAre) {
  for (uint64_t id = 0; id < 1000; ++id) add(id, 1 + id, 1);
  const std::vector<uint64_t> ids = take_all();
  ASSERT_EQ(ids.size(), 1000u);
  for (uint64_t i = 0; i < 1000; ++i) EXPECT_EQ(ids[i], 999 - i);
}

// Four shards of equal lines, taken up together: they must not end together.
TEST_F(WaitingQueueTest, LetsGroupsEndOneAfterTheOther) {
  constexpr uint32_t kGroups = 4;
  constexpr uint64_t kLines = 100;
  for (uint32_t group = 0; group < kGroups; ++group) {
    for (uint64_t line = 0; line < kLines; ++line) add_to_group(group, group * kLines + line, 1 + (line * 37) % 61);
  }
  const std::vector<uint64_t> ids = take_all();
  std::vector<size_t> ends(kGroups);
  for (size_t i = 0; i < ids.size(); ++i) ends[ids[i] / kLines] = i;
  for (uint32_t group = 0; group < kGroups; ++group) {
    EXPECT_GE(ends[group], (group + 1) * kLines - 1);
    // Beside its own lines and those before it, at most 64 later ones went ahead of any line of it.
    EXPECT_LE(ends[group], (group + 1) * kLines - 1 + 64);
  }
}

TEST_F(WaitingQueueTest, TakesLongOnesOfLaterGroupsEarly) {
  for (uint64_t id = 0; id < 100; ++id) add_to_group(0, id, 10);
  add_to_group(1, 100, 500);
  EXPECT_EQ(take(), 100u);
}

TEST_F(WaitingQueueTest, TakesTheUrgentFirstInTheirOrder) {
  add(1, 100, 5);
  add_urgent(2, 1);
  add(3, 200, 5);
  add_urgent(4, 50);
  add_urgent(5, 2);
  EXPECT_TRUE(queue_.remove(4));
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{2, 5, 3, 1}));
}

TEST_F(WaitingQueueTest, TakesTheUrgentBeforeWhatWasOvertakenTooOften) {
  add(1, 1, 1);
  for (uint64_t id = 2; id < 100; ++id) add_to_group(1, id, 50);
  for (int i = 0; i < 64; ++i) EXPECT_NE(take(), 1u);
  add_urgent(9999, 1);
  EXPECT_EQ(take(), 9999u);
  EXPECT_EQ(take(), 1u);
}

TEST_F(WaitingQueueTest, ForgetsWhatIsRemoved) {
  add(1, 10, 1);
  add(2, 20, 1);
  EXPECT_TRUE(queue_.remove(2));
  EXPECT_FALSE(queue_.remove(2));
  EXPECT_EQ(take_all(), (std::vector<uint64_t>{1}));
}

TEST(OutputEstimateTest, IsTheUpperQuartileOfTheLastSequences) {
  OutputEstimate estimate;
  EXPECT_EQ(estimate.expect(500), 500u);
  for (uint32_t tokens = 1; tokens <= 100; ++tokens) estimate.record(tokens);
  EXPECT_EQ(estimate.expect(500), 76u);
  EXPECT_EQ(estimate.expect(10), 10u);
  for (int i = 0; i < 256; ++i) estimate.record(3);
  EXPECT_EQ(estimate.expect(500), 3u);
}

}  // namespace
}  // namespace eyrie::test
