// The scheduler against a simulation of what the model would do: every prompt row is computed or copied exactly once and in order,
// nothing is copied that is not there yet, and slots are refilled at once.

#include "engine/scheduler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>

namespace eyrie::test {
namespace {

struct Job {
  std::vector<uint32_t> prompt;
  uint32_t outputs = 1;
  bool may_copy_prefix = true;
  bool urgent = false;
};

struct Totals {
  uint64_t passes = 0;
  uint64_t prefill_rows = 0;
  uint64_t copied_tokens = 0;
  uint64_t idle_slot_steps = 0;
  uint64_t shape_rows = 0;
};

class Simulation {
 public:
  Simulation(uint32_t slots, uint32_t prefill_tokens, std::vector<Job> jobs)
      : prefill_tokens_(prefill_tokens), scheduler_(slots, prefill_tokens), jobs_(std::move(jobs)), slots_(slots) {
    for (uint64_t id = 0; id < jobs_.size(); ++id) {
      scheduler_.add({id, jobs_[id].prompt, jobs_[id].outputs, jobs_[id].may_copy_prefix, jobs_[id].urgent});
    }
  }

  Totals run() {
    PassPlan plan;
    while (!scheduler_.idle()) {
      scheduler_.next_pass(plan);
      if (plan.empty()) {
        ADD_FAILURE() << "nothing to do although requests wait";
        return totals_;
      }
      apply(plan);
    }
    EXPECT_EQ(finished_, jobs_.size());
    return totals_;
  }

 private:
  struct Slot {
    bool live = false;
    uint64_t id = 0;
    uint32_t generated = 0;
    bool decoding = false;
    std::vector<uint32_t> cache;  // the tokens whose keys and values the slot holds
  };

  void apply(const PassPlan& plan) {
    ++totals_.passes;
    for (const Admission& admission : plan.admissions) {
      Slot& slot = slots_[admission.slot];
      EXPECT_FALSE(slot.live);
      slot = {true, admission.id, 0, false, std::move(slot.cache)};
    }
    for (const PrefixCopy& copy : plan.copies) {
      const std::vector<uint32_t>& from = slots_[copy.from_slot].cache;
      ASSERT_GE(from.size(), copy.tokens) << "copied what is not there";
      slots_[copy.to_slot].cache.assign(from.begin(), from.begin() + copy.tokens);
      totals_.copied_tokens += copy.tokens;
    }
    std::vector<uint32_t> yielding;
    for (const uint32_t slot : plan.decode_slots) {
      EXPECT_TRUE(slots_[slot].live && slots_[slot].decoding);
      yielding.push_back(slot);
    }
    uint32_t rows = 0;
    for (const PrefillChunk& chunk : plan.prefill) {
      prefill(chunk);
      rows += chunk.rows;
      if (chunk.last) yielding.push_back(chunk.slot);
    }
    EXPECT_EQ(rows, plan.prefill_rows);
    EXPECT_LE(rows, std::max(prefill_tokens_, kChunkTokens));
    EXPECT_EQ(yielding.size(), plan.token_rows());
    EXPECT_GE(plan.decode_shape_rows, plan.token_rows());
    totals_.prefill_rows += rows;
    totals_.shape_rows += plan.decode_shape_rows;
    totals_.idle_slot_steps += plan.decode_shape_rows - plan.token_rows();
    for (const uint32_t index : yielding) {
      Slot& slot = slots_[index];
      slot.decoding = true;
      if (++slot.generated < jobs_[slot.id].outputs) continue;
      slot.live = false;
      ++finished_;
      scheduler_.end_sequence(index, slot.generated);
    }
  }

  void prefill(const PrefillChunk& chunk) {
    Slot& slot = slots_[chunk.slot];
    const std::vector<uint32_t>& prompt = jobs_[slot.id].prompt;
    EXPECT_TRUE(slot.live && !slot.decoding);
    EXPECT_EQ(chunk.first_position % kChunkTokens, 0u) << "a chunk starts between tiles";
    ASSERT_LE(chunk.first_position + chunk.rows, prompt.size());
    // What lies before the chunk must be this very prompt, computed, copied or left by a sequence that shared it.
    ASSERT_GE(slot.cache.size(), chunk.first_position);
    EXPECT_TRUE(std::equal(prompt.begin(), prompt.begin() + chunk.first_position, slot.cache.begin()));
    if (!jobs_[slot.id].may_copy_prefix && !computed_.contains(slot.id)) {
      EXPECT_EQ(chunk.first_position, 0u);
    }
    computed_[slot.id] = true;
    slot.cache.resize(chunk.first_position);
    slot.cache.insert(slot.cache.end(), prompt.begin() + chunk.first_position, prompt.begin() + chunk.first_position + chunk.rows);
    EXPECT_EQ(chunk.last, slot.cache.size() == prompt.size());
  }

  uint32_t prefill_tokens_;
  Scheduler scheduler_;
  std::vector<Job> jobs_;
  std::vector<Slot> slots_;
  std::map<uint64_t, bool> computed_;
  Totals totals_;
  size_t finished_ = 0;
};

std::vector<uint32_t> tokens(std::mt19937& random, size_t count) {
  std::vector<uint32_t> out(count);
  for (uint32_t& token : out) token = random() % 1000;
  return out;
}

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
