// Pages for keys and values, ends by length, and a caller that is a pass behind.

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "engine/scheduler.h"
#include "error.h"
#include "test/support/scheduler_simulation.h"

namespace eyrie::test {
namespace {

using Ids = std::vector<uint64_t>;
using Slots = std::vector<uint32_t>;

Ids admitted(const PassPlan& plan) {
  Ids ids;
  for (const Admission& admission : plan.admissions) ids.push_back(admission.id);
  return ids;
}

TEST(SchedulerPages, NeverRunOutAndNeverLeak) {
  std::mt19937 random(11);
  const auto below = [&random](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  uint64_t released = 0;
  uint64_t overrun = 0;
  uint64_t copied = 0;
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    const std::vector<uint32_t> shared = tokens(random, 300);
    std::vector<Job> jobs(1 + below(60));
    const Device device{{16u << below(4), 0}, below(2), below(2) == 0};
    uint32_t pages_min = 1;
    for (Job& job : jobs) {
      job.prompt.assign(shared.begin(), shared.begin() + below(300));
      const std::vector<uint32_t> own = tokens(random, 1 + below(200));
      job.prompt.insert(job.prompt.end(), own.begin(), own.end());
      job.max_tokens = 1 + below(60);
      job.outputs = 1 + below(job.max_tokens);
      job.may_copy_prefix = below(5) != 0;
      job.urgent = below(6) == 0;
      if (below(4) == 0) job.cancelled_before = 1 + below(60);
      pages_min = std::max(pages_min, device.budget.pages_for(job.prompt.size() + job.max_tokens));
    }
    Device sized = device;
    sized.budget.pages = pages_min + below(pages_min * 4);
    Simulation simulation(1 + below(12), 16 + below(400), jobs, sized);
    const Totals totals = simulation.run();
    ASSERT_FALSE(HasFailure());
    released += totals.released_slots;
    overrun += totals.overrun_rows;
    copied += totals.copied_tokens;
    // Whatever happened before, all pages can still be had by one request.
    const std::vector<uint32_t> prompt(size_t{sized.budget.pages} * sized.budget.page_tokens - 1, 1001);
    simulation.scheduler().add({1'000'000, prompt, 1});
    PassPlan plan;
    simulation.scheduler().next_pass(plan);
    ASSERT_EQ(admitted(plan), (Ids{1'000'000}));
  }
  EXPECT_GT(released, 0u);
  EXPECT_GT(overrun, 0u);
  EXPECT_GT(copied, 0u);
}

TEST(SchedulerPages, AreTakenFromThoseFreeLongest) {
  std::mt19937 random(12);
  Scheduler scheduler(4, 1024, {64, 8});
  PassPlan plan;
  std::vector<std::vector<uint32_t>> prompts;
  for (uint64_t id = 0; id < 3; ++id) {
    prompts.push_back(tokens(random, 100));
    scheduler.add({id, prompts.back(), 1});
  }
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 3u);
  EXPECT_TRUE(plan.released.empty());
  for (const uint32_t slot : {1u, 0u, 2u}) scheduler.end_sequence(slot, 1);
  // Six pages lie with free slots, two are free. Slot 3 has been free longest, then 1, 0 and 2.
  const std::vector<uint32_t> long_prompt = tokens(random, 5 * 64 - 1);
  scheduler.add({9, long_prompt, 1});
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{9}));
  EXPECT_EQ(plan.admissions[0].slot, 3u);
  EXPECT_EQ(plan.released, (Slots{1, 0}));
}

TEST(SchedulerPages, StayWithThePrefixThatIsUsedInPlace) {
  std::mt19937 random(13);
  Scheduler scheduler(2, 1024, {64, 5});
  PassPlan plan;
  const std::vector<uint32_t> first = tokens(random, 100);
  const std::vector<uint32_t> second = tokens(random, 100);
  scheduler.add({1, first, 1});
  scheduler.add({2, second, 1});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 2u);
  scheduler.end_sequence(0, 1);
  scheduler.end_sequence(1, 1);
  // Begins as the one in slot 0 and is longer: slot 0 grows, and slot 1 pays.
  std::vector<uint32_t> third = first;
  third.resize(4 * 64 - 1, 7);
  scheduler.add({3, third, 1});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 1u);
  EXPECT_EQ(plan.admissions[0].slot, 0u);
  EXPECT_EQ(plan.released, (Slots{1}));
  EXPECT_TRUE(plan.copies.empty());
  EXPECT_EQ(plan.prefill_rows, third.size() - 64);
}

TEST(SchedulerPages, LetNobodyButTheUrgentOvertakeTheOneThatDoesNotFit) {
  std::mt19937 random(14);
  Scheduler scheduler(8, 1024, {64, 10});
  PassPlan plan;
  const std::vector<uint32_t> running = tokens(random, 6 * 64 - 10);
  const std::vector<uint32_t> large = tokens(random, 5 * 64 - 10);
  const std::vector<uint32_t> small = tokens(random, 50);
  scheduler.add({1, running, 10});
  scheduler.next_pass(plan);
  scheduler.add({2, large, 10});
  scheduler.add({3, small, 10});
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), Ids{});
  scheduler.add({4, small, 10, true, true});
  // Longer than the one at the head, which stays there all the same.
  scheduler.add({5, running, 10});
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{4}));
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), Ids{});
  scheduler.end_sequence(0, 5);
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{2}));
  EXPECT_TRUE(scheduler.remove_waiting(5));
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{3}));
}

TEST(SchedulerPages, AreNotTakenFromAPrefixThatSomebodyWaitsFor) {
  std::mt19937 random(15);
  Scheduler scheduler(4, 64, {64, 15});
  PassPlan plan;
  const std::vector<uint32_t> shared = tokens(random, 65);
  scheduler.add({1, shared, 1});
  scheduler.next_pass(plan);
  // An urgent prompt takes all rows for a while; the twin of 1 comes after it.
  const std::vector<uint32_t> urgent = tokens(random, 640);
  std::vector<uint32_t> twin = shared;
  twin.push_back(5);
  scheduler.add({2, urgent, 10, true, true});
  scheduler.add({3, twin, 1});
  scheduler.next_pass(plan);
  ASSERT_EQ(admitted(plan), (Ids{2, 3}));
  scheduler.end_sequence(0, 0);
  const std::vector<uint32_t> other = tokens(random, 100);
  scheduler.add({4, other, 1});
  for (int pass = 0; pass < 8; ++pass) {
    scheduler.next_pass(plan);
    ASSERT_EQ(admitted(plan), Ids{});
    ASSERT_TRUE(plan.copies.empty());
  }
  while (plan.copies.empty()) {
    scheduler.next_pass(plan);
    ASSERT_FALSE(plan.empty());
    ASSERT_TRUE(plan.released.empty());
  }
  EXPECT_EQ(plan.copies[0].from_slot, 0u);
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{4}));
}

TEST(SchedulerPages, AreTakenOnceNobodyWaitsForThePrefixAnyMore) {
  std::mt19937 random(18);
  Scheduler scheduler(3, 64, {64, 15});
  PassPlan plan;
  const std::vector<uint32_t> shared = tokens(random, 65);
  const std::vector<uint32_t> urgent = tokens(random, 640);
  scheduler.add({1, shared, 1});
  scheduler.next_pass(plan);
  scheduler.add({2, urgent, 10, true, true});
  scheduler.add({3, shared, 1});
  scheduler.next_pass(plan);
  ASSERT_EQ(admitted(plan), (Ids{2, 3}));
  // 3 waits for slot 0 when all three are cancelled.
  for (const uint32_t slot : {0u, plan.admissions[1].slot, plan.admissions[0].slot}) scheduler.end_sequence(slot, 0);
  const std::vector<uint32_t> large = tokens(random, 15 * 64 - 1);
  scheduler.add({4, large, 1});
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{4}));
}

TEST(SchedulerPages, RefusesWhatCanNeverFit) {
  Scheduler scheduler(2, 64, {64, 4});
  const std::vector<uint32_t> prompt(250, 1);
  scheduler.add({1, prompt, 6});
  EXPECT_THROW(scheduler.add({2, prompt, 7}), Error);
}

TEST(SchedulerEnds, ByLengthAreKnownAhead) {
  std::mt19937 random(16);
  Scheduler scheduler(2, 1024);
  PassPlan plan;
  const std::vector<uint32_t> prompt = tokens(random, 10);
  scheduler.add({1, prompt, 3});
  for (int pass = 0; pass < 3; ++pass) {
    scheduler.next_pass(plan);
    EXPECT_EQ(plan.token_rows(), 1u);
  }
  // Its slot is not free before the caller says so.
  const std::vector<uint32_t> scored = tokens(random, 10);
  scheduler.add({2, prompt, 3});
  scheduler.add({3, scored, 0, false});
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{2}));
  EXPECT_TRUE(plan.decode_slots.empty());
  scheduler.end_sequence(0, 3);
  scheduler.next_pass(plan);
  EXPECT_EQ(admitted(plan), (Ids{3}));
  ASSERT_EQ(plan.prefill.size(), 1u);
  EXPECT_TRUE(plan.prefill[0].last);
  scheduler.next_pass(plan);
  EXPECT_EQ(plan.decode_slots, (Slots{1}));
  scheduler.next_pass(plan);
  EXPECT_TRUE(plan.empty());
  EXPECT_FALSE(scheduler.idle());
  scheduler.end_sequence(0, 0);
  scheduler.end_sequence(1, 3);
  EXPECT_TRUE(scheduler.idle());
}

TEST(SchedulerEnds, CostNoRowWhereTheLengthEndsThemAndOneWhereATokenDoes) {
  std::mt19937 random(17);
  std::vector<Job> jobs(20);
  for (Job& job : jobs) job = {tokens(random, 20), 5};
  EXPECT_EQ(Simulation(4, 256, jobs, {{}, 1}).run().overrun_rows, 0u);
  for (Job& job : jobs) job.max_tokens = 9;
  EXPECT_EQ(Simulation(4, 256, jobs, {{}, 1}).run().overrun_rows, 20u);
  EXPECT_EQ(Simulation(4, 256, jobs, {{}, 1, true}).run().overrun_rows, 20u);
  EXPECT_EQ(Simulation(4, 256, jobs, {{}, 0}).run().overrun_rows, 0u);
}

}  // namespace
}  // namespace eyrie::test
