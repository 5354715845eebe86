#pragma once
// The scheduler against a simulation of what a device would do: every prompt row is computed or copied exactly once and in order,
// nothing is copied that is not there yet, slots are refilled at once, pages never run out and no sequence gets rows beyond its
// length. Tokens may be looked at some passes after the one that made them, as with a device that runs beside the host.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "engine/scheduler.h"

namespace eyrie::test {

struct Job {
  std::vector<uint32_t> prompt;
  uint32_t outputs = 1;
  bool may_copy_prefix = true;
  bool urgent = false;
  /// 0: as many as outputs. Else the sequence ends by itself before it has that many.
  uint32_t max_tokens = 0;
  /// Pass before which it is cancelled, waiting or not; 0: never.
  uint64_t cancelled_before = 0;
};

struct Totals {
  uint64_t passes = 0;
  uint64_t prefill_rows = 0;
  uint64_t copied_tokens = 0;
  uint64_t idle_slot_steps = 0;
  uint64_t shape_rows = 0;
  uint64_t overrun_rows = 0;
  uint64_t released_slots = 0;
};

struct Device {
  KvBudget budget;
  uint32_t lookahead = 0;
  /// A sequence that is over while passes are in flight is stopped at once, and ends after them; else it ends at once.
  bool stops_first = false;
};

inline std::vector<uint32_t> tokens(std::mt19937& random, size_t count) {
  std::vector<uint32_t> out(count);
  for (uint32_t& token : out) token = random() % 1000;
  return out;
}

class Simulation {
 public:
  Simulation(uint32_t slots, uint32_t prefill_tokens, std::vector<Job> jobs, Device device = {})
      : prefill_tokens_(prefill_tokens),
        device_(device),
        scheduler_(slots, prefill_tokens, device.budget),
        jobs_(std::move(jobs)),
        slots_(slots) {
    for (uint64_t id = 0; id < jobs_.size(); ++id) {
      Job& job = jobs_[id];
      if (job.max_tokens == 0) job.max_tokens = job.outputs;
      scheduler_.add({id, job.prompt, job.max_tokens, job.may_copy_prefix, job.urgent});
      waiting_.insert(id);
    }
  }

  Totals run() {
    PassPlan plan;
    while (!scheduler_.idle()) {
      cancel();
      scheduler_.next_pass(plan);
      ++totals_.passes;
      if (plan.empty()) {
        if (scheduler_.idle()) break;
        if (in_flight_.empty()) {
          ADD_FAILURE() << "nothing to do although requests wait";
          return totals_;
        }
        collect();
        continue;
      }
      in_flight_.push_back(apply(plan));
      if (testing::Test::HasFailure()) return totals_;
      while (in_flight_.size() > device_.lookahead) collect();
    }
    while (!in_flight_.empty()) collect();
    EXPECT_EQ(ended_.size(), jobs_.size());
    return totals_;
  }

  Scheduler& scheduler() { return scheduler_; }

 private:
  struct Slot {
    bool live = false;
    uint64_t id = 0;
    uint32_t generated = 0;
    uint32_t planned = 0;
    bool decoding = false;
    uint32_t pages = 0;
    size_t passes_to_end = 0;     // once it is stopped
    std::vector<uint32_t> cache;  // the tokens whose keys and values the slot holds
  };
  struct Row {
    uint32_t slot = 0;
    uint64_t id = 0;
  };
  using Rows = std::vector<Row>;

  void cancel() {
    for (uint64_t id = 0; id < jobs_.size(); ++id) {
      if (jobs_[id].cancelled_before == 0 || jobs_[id].cancelled_before != totals_.passes + 1) continue;
      const auto holds = [id](const Slot& slot) { return slot.live && slot.id == id; };
      const auto slot = std::find_if(slots_.begin(), slots_.end(), holds);
      EXPECT_EQ(scheduler_.remove_waiting(id), waiting_.erase(id) == 1);
      if (slot != slots_.end()) {
        stop(static_cast<uint32_t>(slot - slots_.begin()));
      } else {
        ended_.insert(id);
      }
    }
  }

  void stop(uint32_t index) {
    if (!device_.stops_first || in_flight_.empty()) return end(index);
    if (slots_[index].passes_to_end > 0) return;
    slots_[index].passes_to_end = in_flight_.size();
    scheduler_.stop_sequence(index);
  }

  void end(uint32_t index) {
    slots_[index].live = false;
    ended_.insert(slots_[index].id);
    scheduler_.end_sequence(index, slots_[index].generated);
  }

  /// The tokens of the oldest pass in flight.
  void collect() {
    const Rows rows = std::move(in_flight_.front());
    in_flight_.pop_front();
    for (uint32_t index = 0; index < slots_.size(); ++index) {
      if (slots_[index].passes_to_end > 0 && --slots_[index].passes_to_end == 0) end(index);
    }
    for (const Row& row : rows) {
      Slot& slot = slots_[row.slot];
      if (!slot.live || slot.id != row.id || slot.passes_to_end > 0) {
        ++totals_.overrun_rows;
        continue;
      }
      if (++slot.generated == jobs_[slot.id].outputs || jobs_[slot.id].max_tokens == 0) stop(row.slot);
    }
  }

  Rows apply(const PassPlan& plan) {
    reserve(plan);
    copy(plan);
    Rows rows;
    for (const uint32_t slot : plan.decode_slots) {
      EXPECT_TRUE(slots_[slot].live && slots_[slot].decoding && slots_[slot].passes_to_end == 0);
      rows.push_back({slot, slots_[slot].id});
    }
    uint32_t prefill_rows = 0;
    for (const PrefillChunk& chunk : plan.prefill) {
      prefill(chunk);
      prefill_rows += chunk.rows;
      if (chunk.last) rows.push_back({chunk.slot, slots_[chunk.slot].id});
    }
    EXPECT_EQ(prefill_rows, plan.prefill_rows);
    EXPECT_LE(prefill_rows, std::max(prefill_tokens_, kChunkTokens));
    EXPECT_EQ(rows.size(), plan.token_rows());
    EXPECT_GE(plan.decode_shape_rows, plan.token_rows());
    totals_.prefill_rows += prefill_rows;
    totals_.shape_rows += plan.decode_shape_rows;
    totals_.idle_slot_steps += plan.decode_shape_rows - plan.token_rows();
    for (const Row& row : rows) {
      Slot& slot = slots_[row.slot];
      slot.decoding = true;
      EXPECT_LE(++slot.planned, std::max(jobs_[slot.id].max_tokens, 1u)) << "rows beyond the length of the sequence";
    }
    return rows;
  }

  /// Pages as the device counts them: for the whole sequence when it enters a slot, and no other time.
  void reserve(const PassPlan& plan) {
    for (const uint32_t index : plan.released) {
      EXPECT_FALSE(slots_[index].live) << "took the pages of a running sequence";
      EXPECT_GT(slots_[index].pages, 0u) << "took pages where there are none";
      slots_[index].pages = 0;
      slots_[index].cache.clear();
      ++totals_.released_slots;
    }
    for (const Admission& admission : plan.admissions) {
      Slot& slot = slots_[admission.slot];
      EXPECT_FALSE(slot.live);
      EXPECT_EQ(waiting_.erase(admission.id), 1u);
      slot = {true, admission.id, 0, 0, false, 0, 0, std::move(slot.cache)};
      if (device_.budget.page_tokens == 0) continue;
      const Job& job = jobs_[admission.id];
      const auto tokens = static_cast<uint32_t>(job.prompt.size()) + job.max_tokens;
      slot.pages = tokens / device_.budget.page_tokens + (tokens % device_.budget.page_tokens == 0 ? 0 : 1);
      slot.cache.resize(std::min<size_t>(slot.cache.size(), size_t{slot.pages} * device_.budget.page_tokens));
      const auto add_pages = [](uint32_t sum, const Slot& one) { return sum + one.pages; };
      EXPECT_LE(std::accumulate(slots_.begin(), slots_.end(), 0u, add_pages), device_.budget.pages);
    }
  }

  void copy(const PassPlan& plan) {
    for (const PrefixCopy& copy : plan.copies) {
      const std::vector<uint32_t>& from = slots_[copy.from_slot].cache;
      ASSERT_GE(from.size(), copy.tokens) << "copied what is not there";
      slots_[copy.to_slot].cache.assign(from.begin(), from.begin() + copy.tokens);
      totals_.copied_tokens += copy.tokens;
    }
  }

  void prefill(const PrefillChunk& chunk) {
    Slot& slot = slots_[chunk.slot];
    const std::vector<uint32_t>& prompt = jobs_[slot.id].prompt;
    EXPECT_TRUE(slot.live && !slot.decoding && slot.passes_to_end == 0);
    EXPECT_EQ(chunk.first_position % kChunkTokens, 0u) << "a chunk starts between tiles";
    ASSERT_LE(chunk.first_position + chunk.rows, prompt.size());
    // What lies before the chunk must be this very prompt, computed, copied or left by a sequence that shared it.
    ASSERT_GE(slot.cache.size(), chunk.first_position);
    EXPECT_TRUE(std::equal(prompt.begin(), prompt.begin() + chunk.first_position, slot.cache.begin()));
    if (!jobs_[slot.id].may_copy_prefix && !computed_.contains(slot.id)) {
      EXPECT_EQ(chunk.first_position, 0u);
    }
    computed_.insert(slot.id);
    slot.cache.resize(chunk.first_position);
    slot.cache.insert(slot.cache.end(), prompt.begin() + chunk.first_position, prompt.begin() + chunk.first_position + chunk.rows);
    EXPECT_EQ(chunk.last, slot.cache.size() == prompt.size());
  }

  uint32_t prefill_tokens_;
  Device device_;
  Scheduler scheduler_;
  std::vector<Job> jobs_;
  std::vector<Slot> slots_;
  std::deque<Rows> in_flight_;
  std::set<uint64_t> waiting_;
  std::set<uint64_t> computed_;
  std::set<uint64_t> ended_;
  Totals totals_;
};

}  // namespace eyrie::test
