// The queue against a plain model of its rule that looks at every request each time: the same request is next, whatever came before.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <deque>
#include <random>
#include <span>
#include <vector>

#include "engine/waiting_queue.h"

namespace eyrie::test {
namespace {

class PlainQueue {
 public:
  void add(const WaitingRequest& request) {
    const auto first_patient = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.request.urgent; });
    entries_.insert(request.urgent ? first_patient : entries_.end(), {request, 0});
  }

  void remove(uint64_t id) {
    std::erase_if(entries_, [id](const Entry& entry) { return entry.request.id == id; });
  }

  uint64_t take(const OutputEstimate& estimate) {
    const auto first_patient = std::find_if(entries_.begin(), entries_.end(), [](const Entry& e) { return !e.request.urgent; });
    auto chosen = entries_.begin();
    if (first_patient == entries_.begin()) {
      chosen = std::max_element(entries_.begin(), entries_.end(),
                                [&](const Entry& a, const Entry& b) { return rank(a, estimate) < rank(b, estimate); });
      for (auto earlier = entries_.begin(); earlier < chosen; ++earlier) {
        if (earlier->request.group != chosen->request.group) ++earlier->overtaken;
      }
    }
    const uint64_t id = chosen->request.id;
    last_prefix_ = prefix(chosen->request);
    entries_.erase(chosen);
    return id;
  }

  size_t size() const { return entries_.size(); }
  const WaitingRequest& at(size_t i) const { return entries_[i].request; }

 private:
  struct Entry {
    WaitingRequest request;
    int overtaken = 0;
  };

  static std::vector<uint32_t> prefix(const WaitingRequest& request) {
    if (!request.may_copy_prefix || request.prompt_ids.size() <= kPrefixTokens) return {};
    return {request.prompt_ids.begin(), request.prompt_ids.begin() + kPrefixTokens};
  }

  std::array<uint64_t, 3> rank(const Entry& entry, const OutputEstimate& estimate) const {
    const Entry& eldest = entries_.front();
    const bool group_counts = eldest.overtaken < 64 || entry.request.group == eldest.request.group;
    const bool same_prefix = !last_prefix_.empty() && prefix(entry.request) == last_prefix_;
    return {group_counts, same_prefix, entry.request.prompt_ids.size() + estimate.expect(entry.request.max_tokens)};
  }

  std::vector<Entry> entries_;
  std::vector<uint32_t> last_prefix_;
};

struct Mix {
  uint32_t groups = 1;
  uint32_t prefixes = 1;
  uint32_t max_tokens_values = 1;
  uint32_t urgent_percent = 0;
  uint32_t rounds = 3000;
};

class WaitingQueueOrder : public ::testing::TestWithParam<Mix> {};

TEST_P(WaitingQueueOrder, IsThatOfThePlainRule) {
  const Mix mix = GetParam();
  std::mt19937 random(mix.groups * 1000 + mix.prefixes);
  std::deque<std::vector<uint32_t>> prompts;
  WaitingQueue queue;
  PlainQueue plain;
  OutputEstimate estimate;
  const auto below = [&random](uint32_t limit) { return static_cast<uint32_t>(random() % limit); };
  uint64_t next_id = 0;
  size_t taken = 0;
  for (uint32_t round = 0; round < mix.rounds; ++round) {
    // Waves: the queue fills, and empties to the last request.
    const bool fills = round / 300 % 2 == 0;
    for (uint32_t i = below(fills ? 4 : 2); i > 0; --i) {
      prompts.emplace_back(1 + below(150), below(mix.prefixes));
      const WaitingRequest request{
          next_id++,        prompts.back(), 1 + below(mix.max_tokens_values) * 7, below(10) != 0, below(100) < mix.urgent_percent,
          below(mix.groups)};
      queue.add(request);
      plain.add(request);
    }
    if (plain.size() > 0 && below(8) == 0) {
      const uint64_t id = plain.at(below(static_cast<uint32_t>(plain.size()))).id;
      ASSERT_TRUE(queue.remove(id));
      ASSERT_FALSE(queue.remove(id));
      plain.remove(id);
    }
    for (uint32_t i = below(fills ? 2 : 4); i > 0 && plain.size() > 0; --i) {
      if (below(3) == 0) estimate.record(below(mix.max_tokens_values * 7 + 1));
      const WaitingRequest* next = queue.next(estimate);
      ASSERT_NE(next, nullptr);
      ASSERT_EQ(next->id, plain.take(estimate)) << "round " << round;
      queue.take();
      ++taken;
    }
    ASSERT_EQ(queue.size(), plain.size());
  }
  EXPECT_GT(taken, mix.rounds / 2);
}

INSTANTIATE_TEST_SUITE_P(Mixes, WaitingQueueOrder,
                         ::testing::Values(Mix{1, 1, 1}, Mix{1, 200, 300}, Mix{2, 3, 40}, Mix{5, 2, 300}, Mix{40, 1, 2},
                                           Mix{1000, 500, 500}, Mix{3, 8, 20, 5}, Mix{4, 4, 4, 60}));

TEST(WaitingQueueHead, StaysUntilItIsTakenOrSomebodyWaits) {
  const std::vector<uint32_t> prompt(50, 1);
  WaitingQueue queue;
  OutputEstimate estimate;
  queue.add({1, std::span(prompt).first(10), 100});
  ASSERT_EQ(queue.next(estimate)->id, 1u);
  queue.add({2, prompt, 1000});
  EXPECT_EQ(queue.next(estimate)->id, 1u);
  queue.add({3, prompt, 1, true, true});
  EXPECT_EQ(queue.next(estimate)->id, 3u);
  queue.take();
  EXPECT_EQ(queue.next(estimate)->id, 1u);
  EXPECT_TRUE(queue.remove(1));
  EXPECT_EQ(queue.next(estimate)->id, 2u);
  queue.take();
  EXPECT_EQ(queue.next(estimate), nullptr);
}

}  // namespace
}  // namespace eyrie::test
