// What the scheduler costs the host while a device computes: admission, waiting queue, prefix search and pages, with tens of
// thousands of requests waiting.
//
//   lab_host_cost_bench [waiting=65000] [slots=256] [passes=4000] [prompt=300] [output=150]     one JSON line
//
// A simulated card: `slots` sequences decode together, passes take kPassMicroseconds, and as many prompts enter as leave. Prompt
// and output lengths are log-normal around their medians; half of the requests begin with one of a few system prompts; they
// arrive in shards of 500 lines. For each sequence that ends, some 75 a second, a request arrives. Each pass is timed alone:
// next_pass(), and the ends and arrivals that belong to it, in CPU time of this thread, since the machine may be shared. The first
// passes, which fill the slots, are reported apart.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <random>
#include <vector>

#include "engine/scheduler.h"

namespace {

using namespace eyrie;

constexpr double kPassMicroseconds = 20'000;
constexpr uint32_t kSlotTokens = 2048;
constexpr uint32_t kPrefillTokens = 1024;
constexpr uint32_t kPageTokens = 256;
constexpr uint32_t kLinesOfAShard = 500;

double cpu_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Mix {
  const char* name;
  bool lines_share_max_tokens;  ///< as the lines of a batch do; else each line has a limit of its own
  uint32_t pages_per_slot;      ///< 0: each slot has its own room
  uint32_t system_prompts;
  uint32_t system_prompt_tokens;
};
constexpr Mix kMixes[] = {{"slots", true, 0, 100, 128},
                          {"pages", true, 4, 100, 128},
                          {"pages, max_tokens by line", false, 4, 100, 128},
                          {"pages, one long system prompt", true, 6, 1, 1024}};

KvBudget budget_of(const Mix& mix, uint32_t slots) {
  return mix.pages_per_slot == 0 ? KvBudget{} : KvBudget{kPageTokens, slots * mix.pages_per_slot};
}

struct Line {
  std::vector<uint32_t> prompt;
  uint32_t max_tokens = 0;
  uint32_t outputs = 0;
};

class Lines {
 public:
  Lines(const Mix& mix, uint32_t prompt_median, uint32_t output_median)
      : prompt_median_(prompt_median), output_median_(output_median), share_max_tokens_(mix.lines_share_max_tokens) {
    for (uint32_t i = 0; i < mix.system_prompts; ++i) {
      system_prompts_.emplace_back(mix.system_prompt_tokens);
      for (uint32_t& id : system_prompts_.back()) id = token();
    }
  }

  Line make() {
    Line line;
    if (random_() % 2 == 0) line.prompt = system_prompts_[random_() % system_prompts_.size()];
    const auto prompt = static_cast<size_t>(around(prompt_median_, 0.6, kSlotTokens / 2));
    while (line.prompt.size() < prompt || line.prompt.empty()) line.prompt.push_back(token());
    line.prompt.push_back(token());
    const uint32_t room = kSlotTokens - static_cast<uint32_t>(line.prompt.size());
    line.max_tokens = std::min(share_max_tokens_ ? 2 * output_median_ : 1 + static_cast<uint32_t>(random_() % room), room);
    line.outputs = around(output_median_, 0.6, line.max_tokens);
    return line;
  }

 private:
  uint32_t token() { return static_cast<uint32_t>(random_() % 65'024); }
  uint32_t around(uint32_t median, double sigma, uint32_t most) {
    const double drawn = static_cast<double>(median) * std::exp(sigma * normal_(random_));
    return static_cast<uint32_t>(std::clamp(drawn, 1.0, static_cast<double>(most)));
  }

  uint32_t prompt_median_;
  uint32_t output_median_;
  bool share_max_tokens_;
  std::mt19937 random_{1};
  std::normal_distribution<double> normal_;
  std::vector<std::vector<uint32_t>> system_prompts_;
};

struct Shares {
  double p50 = 0, p99 = 0, worst = 0, mean = 0;
};

Shares shares_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  Shares shares{values[values.size() / 2], values[values.size() * 99 / 100], values.back(), 0};
  for (const double value : values) shares.mean += value / static_cast<double>(values.size());
  return shares;
}

class Card {
 public:
  Card(const Mix& mix, uint32_t waiting, uint32_t slots, uint32_t prompt, uint32_t output)
      : lines_(mix, prompt, output), scheduler_(slots, kPrefillTokens, budget_of(mix, slots)), in_slot_(slots) {
    for (uint32_t i = 0; i < waiting; ++i) arrivals_.push_back(lines_.make());
  }

  /// CPU time of the scheduler's work: arrivals, the pass, and the ends it brings.
  double pass() {
    const uint64_t first = all_.size();
    for (Line& line : arrivals_) all_.push_back({std::move(line), 0});
    arrivals_.clear();
    const double begin = cpu_microseconds();
    for (uint64_t id = first; id < all_.size(); ++id) {
      const Line& line = all_[id].line;
      scheduler_.add({id, line.prompt, line.max_tokens, true, false, static_cast<uint32_t>(id / kLinesOfAShard)});
    }
    const double arrived = cpu_microseconds();
    scheduler_.next_pass(plan_);
    const double planned = cpu_microseconds();
    compute();
    const double computed = cpu_microseconds();
    for (const uint32_t slot : ended_) scheduler_.end_sequence(slot, all_[in_slot_[slot]].generated);
    const double ended = cpu_microseconds();
    for (const uint32_t slot : ended_) {
      all_[in_slot_[slot]].line = {};
      arrivals_.push_back(lines_.make());
    }
    arrival_microseconds_ = arrived - begin;
    ends_ += ended_.size();
    return arrival_microseconds_ + (planned - arrived) + (ended - computed);
  }

  /// CPU time of a removal, all that wait being removed in the order of their arrival.
  double remove_all() {
    const auto count = static_cast<double>(scheduler_.waiting());
    const double begin = cpu_microseconds();
    for (uint64_t id = 0; id < all_.size(); ++id) {
      if (!all_[id].line.prompt.empty()) scheduler_.remove_waiting(id);
    }
    return (cpu_microseconds() - begin) / count;
  }

  double arrival_microseconds() const { return arrival_microseconds_; }
  uint64_t ends() const { return ends_; }
  size_t waiting() const { return scheduler_.waiting(); }
  size_t rows() const { return plan_.decode_slots.size(); }

 private:
  struct Sequence {
    Line line;
    uint32_t generated = 0;
  };

  void compute() {
    for (const Admission& admission : plan_.admissions) in_slot_[admission.slot] = admission.id;
    ended_.clear();
    const auto yield = [&](uint32_t slot) {
      Sequence& sequence = all_[in_slot_[slot]];
      if (++sequence.generated == sequence.line.outputs) ended_.push_back(slot);
    };
    for (const uint32_t slot : plan_.decode_slots) yield(slot);
    for (const PrefillChunk& chunk : plan_.prefill) {
      if (chunk.last) yield(chunk.slot);
    }
  }

  Lines lines_;
  Scheduler scheduler_;
  PassPlan plan_;
  std::deque<Sequence> all_;
  std::vector<uint64_t> in_slot_;
  std::vector<Line> arrivals_;
  std::vector<uint32_t> ended_;
  double arrival_microseconds_ = 0;
  uint64_t ends_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto argument = [&](int index, uint32_t otherwise) {
    return argc > index ? static_cast<uint32_t>(std::strtoul(argv[index], nullptr, 10)) : otherwise;
  };
  const uint32_t waiting = argument(1, 65'000);
  const uint32_t slots = argument(2, 256);
  const uint32_t passes = argument(3, 4'000);
  const uint32_t prompt = argument(4, 300);
  const uint32_t output = argument(5, 150);
  std::printf("{\"waiting\": %u, \"slots\": %u, \"passes\": %u, \"pass_us\": %.0f, \"mixes\": [", waiting, slots, passes,
              kPassMicroseconds);
  for (const Mix& mix : kMixes) {
    Card card(mix, waiting, slots, prompt, output);
    const double first = card.pass();
    const double arrival = card.arrival_microseconds() / waiting;
    // Until the slots end at different times.
    double worst_start = 0;
    for (uint32_t i = 0; i < passes / 4; ++i) worst_start = std::max(worst_start, card.pass());
    const uint64_t ended_before = card.ends();
    double rows = 0;
    std::vector<double> times;
    for (uint32_t i = 0; i < passes; ++i) {
      times.push_back(card.pass());
      rows += static_cast<double>(card.rows()) / passes;
    }
    const Shares shares = shares_of(times);
    const size_t left = card.waiting();
    const double removal = card.remove_all();
    const double ends = static_cast<double>(card.ends() - ended_before) / (passes * kPassMicroseconds / 1e6);
    std::printf(
        "%s{\"name\": \"%s\", \"waiting\": %zu, \"arrival_us\": %.3f, \"removal_us\": %.3f, \"first_pass_us\": %.1f, \"start_worst_us\": "
        "%.1f, \"ends_per_s\": %.1f, "
        "\"decode_rows\": %.1f, \"mean_us\": %.2f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"worst_us\": %.2f}",
        &mix == kMixes ? "" : ", ", mix.name, left, arrival, removal, first - arrival * waiting, worst_start, ends, rows, shares.mean,
        shares.p50, shares.p99, shares.worst);
    std::fflush(stdout);
  }
  std::printf("]}\n");
  return 0;
}
