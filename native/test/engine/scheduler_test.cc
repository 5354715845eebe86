#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "test/support/scheduler_simulation.h"

namespace eyrie::test {
namespace {

TEST(Scheduler, ComputesEveryRowOnceWhateverTheJobs) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    const std::vector<uint32_t> shared = tokens(random, 300);
    std::vector<Job> jobs(1 + random() % 60);
    for (Job& job : jobs) {
      job.prompt.assign(shared.begin(), shared.begin() + random() % 300);
      const std::vector<uint32_t> own = tokens(random, 1 + random() % 200);
      job.prompt.insert(job.prompt.end(), own.begin(), own.end());
      job.outputs = 1 + random() % 30;
      job.may_copy_prefix = random() % 5 != 0;
      job.urgent = random() % 6 == 0;
    }
    const uint32_t slots = 1 + random() % 12;
    const uint32_t prefill_tokens = 16 + random() % 400;
    SCOPED_TRACE("round " + std::to_string(round));
    Simulation(slots, prefill_tokens, jobs).run();
    if (HasFailure()) return;
  }
}

TEST(Scheduler, ComputesASharedPrefixOnce) {
  std::mt19937 random(2);
  const std::vector<uint32_t> shared = tokens(random, 512);
  std::vector<Job> jobs(32);
  for (Job& job : jobs) {
    job.prompt = shared;
    job.prompt.push_back(static_cast<uint32_t>(&job - jobs.data()));
    job.outputs = 4;
  }
  const Totals totals = Simulation(8, 2048, jobs).run();
  // 513 rows once, then one row each: 31 others.
  EXPECT_EQ(totals.prefill_rows, 513u + 31u);
}

TEST(Scheduler, DoesNotCopyForShortOrForbiddenPrefixes) {
  std::mt19937 random(3);
  const std::vector<uint32_t> shared = tokens(random, 63);
  std::vector<Job> jobs(8);
  for (Job& job : jobs) {
    job.prompt = shared;
    job.prompt.push_back(static_cast<uint32_t>(&job - jobs.data()));
  }
  EXPECT_EQ(Simulation(4, 256, jobs).run().prefill_rows, 8u * 64u);
  for (Job& job : jobs) {
    job.prompt.assign(200, 5);
    job.may_copy_prefix = false;
  }
  EXPECT_EQ(Simulation(4, 256, jobs).run().prefill_rows, 8u * 200u);
}

TEST(Scheduler, CutsALongPromptAtTilesAndSharesPasses) {
  std::mt19937 random(4);
  std::vector<Job> jobs = {{tokens(random, 1000), 1}, {tokens(random, 10), 1}};
  const Totals totals = Simulation(2, 250, jobs).run();
  EXPECT_EQ(totals.prefill_rows, 1010u);
  // Four passes with 192 rows of the long one (whole tiles of a budget of 250), the short one beside them; a fifth with its last 232.
  EXPECT_EQ(totals.passes, 5u);
}

TEST(Scheduler, ReadsAnUrgentPromptBeforeThoseThatCameFirst) {
  std::mt19937 random(6);
  const std::vector<uint32_t> long_prompt = tokens(random, 640);
  const std::vector<uint32_t> urgent_prompt = tokens(random, 100);
  Scheduler scheduler(3, 128);
  PassPlan plan;
  scheduler.add({1, long_prompt, 10, true, false});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.prefill.size(), 1u);
  scheduler.add({2, long_prompt, 10, true, false});
  scheduler.add({3, urgent_prompt, 10, true, true});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 2u);
  EXPECT_EQ(plan.admissions[0].id, 3u);
  ASSERT_FALSE(plan.prefill.empty());
  EXPECT_EQ(plan.prefill[0].slot, plan.admissions[0].slot);
  EXPECT_EQ(plan.prefill[0].rows, 100u);
  EXPECT_TRUE(plan.prefill[0].last);
}

TEST(Scheduler, CopiesNothingFromASlotThatHoldsAnotherPromptByNow) {
  std::mt19937 random(7);
  Scheduler scheduler(3, 64);
  PassPlan plan;
  const std::vector<uint32_t> shared = tokens(random, 65);
  scheduler.add({1, shared, 1});
  scheduler.next_pass(plan);
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.token_rows(), 1u);
  // Urgent prompts take all rows, so that the twin of 1 still waits for its turn when the only free slot is that of 1.
  const std::vector<uint32_t> urgent = tokens(random, 640);
  const std::vector<uint32_t> twin(shared);
  scheduler.add({2, urgent, 10, true, true});
  scheduler.add({3, twin, 1});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 2u);
  const uint32_t twin_slot = plan.admissions[1].slot;
  scheduler.end_sequence(0, 1);
  const std::vector<uint32_t> other = tokens(random, 130);
  scheduler.add({4, other, 10, true, true});
  scheduler.next_pass(plan);
  ASSERT_EQ(plan.admissions.size(), 1u);
  ASSERT_EQ(plan.admissions[0].slot, 0u);
  const auto is_twin = [&](const PrefillChunk& chunk) { return chunk.slot == twin_slot; };
  while (std::none_of(plan.prefill.begin(), plan.prefill.end(), is_twin)) {
    scheduler.next_pass(plan);
    ASSERT_FALSE(plan.empty());
    EXPECT_TRUE(plan.copies.empty());
  }
  EXPECT_EQ(std::find_if(plan.prefill.begin(), plan.prefill.end(), is_twin)->first_position, 0u);
}

/// The promise on padding: 2,000 log-normal lines on 32 slots idle less than 2 % of the slot-steps.
TEST(Scheduler, KeepsSlotsBusy) {
  std::mt19937 random(5);
  std::normal_distribution<double> normal(std::log(120), 0.8);
  std::vector<Job> jobs(2000);
  for (Job& job : jobs) {
    job.prompt = tokens(random, static_cast<size_t>(std::clamp(std::exp(normal(random)), 4.0, 1500.0)));
    job.outputs = static_cast<uint32_t>(std::clamp(std::exp(normal(random)) / 2, 1.0, 512.0));
  }
  const Totals totals = Simulation(32, 512, jobs).run();
  EXPECT_LT(static_cast<double>(totals.idle_slot_steps), 0.02 * static_cast<double>(totals.shape_rows));
}

TEST(Scheduler, RungsGrowToTheSlotsAndNoFurther) {
  EXPECT_EQ(decode_rung(1, 48), 1u);
  EXPECT_EQ(decode_rung(3, 48), 4u);
  EXPECT_EQ(decode_rung(17, 48), 32u);
  EXPECT_EQ(decode_rung(33, 48), 48u);
  EXPECT_EQ(decode_rung(33, 200), 64u);
  for (uint32_t rows = 1; rows <= 1024; ++rows) {
    EXPECT_GE(decode_rung(rows, 1024), rows);
    EXPECT_LE(decode_rung(rows, rows), rows);
  }
}

}  // namespace
}  // namespace eyrie::test
