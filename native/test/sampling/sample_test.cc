// Sampling against a plain sort-based reference, and the properties that the contract names.

#include "cpu/sampler/sample.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "cpu/sampler/kept_tokens.h"
#include "cpu/sampler/log_softmax.h"
#include "error.h"
#include "numbers/exp.h"
#include "sampling/masses.h"
#include "sampling/philox.h"
#include "test/cpu/oracle.h"

namespace eyrie::test {
namespace {

class Sample : public EveryIsa {
 protected:
  int32_t draw(std::vector<float> logits, const SamplingParams& params, const TokenHistory& history, const uint32_t* allowed = nullptr) {
    SampleScratch scratch;
    return sample(compute, logits.data(), static_cast<int64_t>(logits.size()), params, history, allowed, scratch);
  }
};

TEST(Philox, MatchesThePublishedVectors) {
  // Known answers of the authors' Random123 library for ten rounds.
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0, 0), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, ~0u, ~0u), (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0xa4093822, 0x299f31d0),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformIsBelowOneAndSpread) {
  double sum = 0;
  for (uint64_t i = 0; i < 10000; ++i) {
    const float u = philox_uniform(1234, 7, i);
    ASSERT_GE(u, 0.0f);
    ASSERT_LT(u, 1.0f);
    sum += u;
  }
  EXPECT_NEAR(sum / 10000, 0.5, 0.01);
  EXPECT_NE(philox_uniform(1, 0, 0), philox_uniform(2, 0, 0));
  EXPECT_NE(philox_uniform(1, 0, 0), philox_uniform(1, 1, 0));
  EXPECT_NE(philox_uniform(1, 0, 0), philox_uniform(1, 0, 1));
}

/// The kept ids by sorting everything, as the contract words it.
std::vector<int32_t> kept_by_sorting(const std::vector<float>& logits, const SamplingParams& p) {
  const int n = static_cast<int>(logits.size());
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  int count = p.top_k > 0 ? std::min(p.top_k, n) : n;
  double total = 0, mass = 0;
  std::vector<double> weight;
  for (int i = 0; i < count; ++i)
    weight.push_back(std::exp((static_cast<double>(logits[order[i]]) - logits[order[0]]) / p.temperature)), total += weight.back();
  int nucleus = 0;
  while (nucleus < count && (nucleus == 0 || mass < p.top_p * total)) mass += weight[nucleus++];
  std::vector<int32_t> kept;
  for (int i = 0; i < (p.top_p < 1 ? nucleus : count); ++i)
    if (weight[i] >= p.min_p) kept.push_back(order[i]);
  std::sort(kept.begin(), kept.end());
  return kept;
}

TEST_P(Sample, DrawsOnlyFromTheKeptSetAndAllOfIt) {
  const int64_t vocab = 400;
  constexpr uint64_t kDraws = 1500;
  const std::vector<float> logits = random_values(vocab, 3, 2.5f);
  SamplingParams variants[6];
  variants[0].top_k = 5;
  variants[1].top_p = 0.3f;
  variants[2].min_p = 0.2f;
  variants[3].top_k = 20, variants[3].top_p = 0.6f;
  variants[4].temperature = 0.4f, variants[4].top_k = 8, variants[4].min_p = 0.05f;
  variants[5].top_k = 1, variants[5].temperature = 3.0f;
  for (SamplingParams& p : variants) {
    const std::vector<int32_t> kept = kept_by_sorting(logits, p);
    std::vector<int> hits(static_cast<size_t>(vocab));
    TokenHistory history(vocab);
    for (uint64_t seed = 0; seed < kDraws; ++seed) {
      p.seed = seed;
      hits[static_cast<size_t>(draw(logits, p, history))]++;
    }
    double total = 0;
    for (int32_t id : kept) total += std::exp(static_cast<double>(logits[id]) / p.temperature);
    for (int32_t id = 0; id < vocab; ++id) {
      const bool is_kept = std::binary_search(kept.begin(), kept.end(), id);
      const double share = is_kept ? std::exp(static_cast<double>(logits[id]) / p.temperature) / total : 0;
      // Five standard deviations of a binomial count.
      ASSERT_NEAR(hits[static_cast<size_t>(id)], kDraws * share, 5 * std::sqrt(kDraws * share * (1 - share)) + 1e-9) << "id " << id;
    }
  }
}

/// The token by the words of sampling/masses.h: everything sorted, every sum made one by one.
int32_t draw_by_definition(const std::vector<float>& logits, const SamplingParams& p, int64_t token_index) {
  std::vector<float> z = logits;
  for (float& v : z) v = v * (1.0f / p.temperature);
  std::vector<int32_t> order(z.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return z[a] > z[b]; });
  const auto mass = [&](int32_t id) { return mass_of(exp_one(z[id] - z[order[0]])); };
  const auto total = [&] {
    return std::accumulate(order.begin(), order.end(), uint64_t{0}, [&](uint64_t sum, int32_t id) { return sum + mass(id); });
  };
  if (p.top_k > 0 && static_cast<size_t>(p.top_k) < order.size()) order.resize(static_cast<size_t>(p.top_k));
  if (p.top_p < 1) {
    const uint64_t limit = top_p_limit(p.top_p, total());
    size_t kept = 0;
    for (uint64_t reached = 0; reached < limit; ++kept) reached += mass(order[kept]);
    order.resize(kept);
  }
  std::sort(order.begin(), order.end());
  const auto best = *std::max_element(z.begin(), z.end());
  std::erase_if(order, [&](int32_t id) { return mass_of(exp_one(z[id] - best)) < mass_of(p.min_p); });
  uint64_t all = 0, reached = 0;
  for (const int32_t id : order) all += mass_of(exp_one(z[id] - best));
  const uint64_t target = draw_target(philox_bits(p.seed, p.request, static_cast<uint64_t>(token_index)), all);
  for (const int32_t id : order) {
    reached += mass_of(exp_one(z[id] - best));
    if (reached > target) return id;
  }
  return -1;
}

TEST_P(Sample, FollowsTheDefinitionToTheBit) {
  int differ = 0;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto pick = [&](uint64_t what, auto... choices) {
      const std::array all{choices...};
      return all[philox_bits(seed, what, 1) % all.size()];
    };
    const int64_t vocab = pick(1, 1, 17, 1000, 5003);
    std::vector<float> logits = random_values(vocab, seed, pick(2, 0.0f, 0.5f, 4.0f, 20.0f));
    if (pick(3, 0, 1) == 1)
      for (float& z : logits) z = std::round(z * 2) / 2;
    SamplingParams p;
    p.temperature = pick(4, 0.3f, 1.0f, 2.5f);
    p.top_k = pick(5, 0, 0, 1, 40, 2000);
    p.top_p = pick(6, 1.0f, 1.0f, 0.2f, 0.9f, 0.9999f);
    p.min_p = pick(7, 0.0f, 0.0f, 0.1f, 1e-6f);
    p.seed = seed;
    ASSERT_EQ(draw(logits, p, TokenHistory(vocab)), draw_by_definition(logits, p, 0)) << "seed " << seed;
    differ += draw_by_definition(logits, p, 0) != draw_by_definition(logits, p, 1);
  }
  EXPECT_GT(differ, 100);
}

TEST_P(Sample, IsTheInverseCdfInIdOrder) {
  const std::vector<float> logits = {std::log(0.1f), std::log(0.2f), -INFINITY, std::log(0.3f), std::log(0.4f)};
  TokenHistory history(5);
  SamplingParams p;
  for (p.seed = 0; p.seed < 500; p.seed++) {
    const float u = philox_uniform(p.seed, 0, 0);
    const float edges[] = {0.1f, 0.3f, 0.6f, 1.0f};
    bool near_an_edge = false;
    for (float e : edges) near_an_edge |= std::fabs(u - e) < 1e-4f;
    if (near_an_edge) continue;
    EXPECT_EQ(draw(logits, p, history), u < 0.1f ? 0 : u < 0.3f ? 1 : u < 0.6f ? 3 : 4);
  }
}

TEST_P(Sample, GreedyTakesTheLowestIdOfEquals) {
  std::vector<float> logits(1000, 1.0f);
  logits[300] = logits[700] = 2.0f;
  EXPECT_EQ(greedy(compute, logits.data(), 1000), 300);
  SamplingParams p;
  p.temperature = 0;
  EXPECT_EQ(draw(logits, p, TokenHistory(1000)), 300);
}

TEST_P(Sample, TopKOfEqualsKeepsTheLowestIds) {
  const std::vector<float> logits(2000, 0.5f);
  SamplingParams p;
  p.top_k = 3;
  for (p.seed = 0; p.seed < 50; p.seed++) EXPECT_LT(draw(logits, p, TokenHistory(2000)), 3);
}

TEST_P(Sample, KeepsTheBestOfALargeVocabularyWithTies) {
  const int64_t vocab = 65024;
  std::vector<float> logits = random_values(vocab, 4, 4.0f);
  for (float& z : logits) z = std::round(z * 8) / 8;  // hundreds of equals
  logits[77] = -INFINITY;
  const float best = *std::max_element(logits.begin(), logits.end());
  std::vector<int32_t> order(static_cast<size_t>(vocab));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return logits[a] > logits[b]; });
  SampleScratch scratch;
  for (int64_t k : {1, 2, 50, 3000, 60000, 65023}) {
    keep_top_k(*compute.vector, logits.data(), vocab, best, k, scratch);
    std::vector<int32_t> want(order.begin(), order.begin() + k);
    std::sort(want.begin(), want.end());
    ASSERT_EQ(scratch.ids, want) << "k = " << k;
  }
  double total = 0;
  for (float z : logits) total += std::exp(static_cast<double>(z) - best);
  for (double p : {1e-6, 0.1, 0.5, 0.9, 0.999}) {
    keep_top_p(*compute.vector, logits.data(), vocab, best, p, false, scratch);
    std::vector<int32_t> want(order.begin(), order.begin() + static_cast<int64_t>(scratch.ids.size()));
    double mass = 0;
    for (int32_t id : want) mass += std::exp(static_cast<double>(logits[id]) - best);
    EXPECT_GE(mass, p * total * (1 - 1e-5)) << "p = " << p;
    EXPECT_LT(mass - std::exp(static_cast<double>(logits[want.back()]) - best), p * total * (1 + 1e-5)) << "p = " << p;
    std::sort(want.begin(), want.end());
    ASSERT_EQ(scratch.ids, want) << "p = " << p;
  }
}

TEST_P(Sample, BiasMasksAndPenaltiesInOrder) {
  TokenHistory history(8);
  history.add_prompt(1);
  history.add_output(2);
  history.add_output(2);
  SamplingParams p;
  p.temperature = 0;
  const std::vector<float> logits = {1.0f, 5.0f, 5.0f, 4.0f, -1.0f, -1.0f, -1.0f, -1.0f};
  EXPECT_EQ(draw(logits, p, history), 1);
  p.repetition_penalty = 2.0f;  // 1 and 2 become 2.5
  EXPECT_EQ(draw(logits, p, history), 3);
  p.repetition_penalty = 1.0f;
  p.frequency_penalty = 0.6f;  // 2 becomes 3.8; prompt tokens do not count
  EXPECT_EQ(draw(logits, p, history), 1);
  p.logit_bias = {{1, -1.5f}};
  EXPECT_EQ(draw(logits, p, history), 3);
  p.frequency_penalty = 0;
  p.presence_penalty = 1.2f;  // once, not per count
  EXPECT_EQ(draw(logits, p, history), 3);
  p.presence_penalty = 0.9f;
  EXPECT_EQ(draw(logits, p, history), 2);
  p = {};
  p.temperature = 0;
  p.stop_ids = {1, 2};
  p.min_tokens = 3;
  EXPECT_EQ(draw(logits, p, history), 3);
  p.min_tokens = 2;  // reached
  EXPECT_EQ(draw(logits, p, history), 1);
  const uint32_t allowed[] = {0b11110000};
  EXPECT_EQ(draw(logits, p, history, allowed), 4);
}

TEST_P(Sample, RepetitionPenaltyPushesNegativeLogitsDown) {
  TokenHistory history(3);
  history.add_prompt(0);
  SamplingParams p;
  p.temperature = 0;
  p.repetition_penalty = 2.0f;
  EXPECT_EQ(draw({-1.0f, -1.5f, -3.0f}, p, history), 1);
}

TEST_P(Sample, DependsOnSeedRequestAndPosition) {
  const std::vector<float> logits(5000, 0.0f);
  SamplingParams p;
  TokenHistory history(5000);
  const int32_t first = draw(logits, p, history);
  EXPECT_EQ(draw(logits, p, history), first);
  p.request = 1;
  EXPECT_NE(draw(logits, p, history), first);
  p.request = 0;
  history.add_output(1);
  EXPECT_NE(draw(logits, p, history), first);
  history.clear();
  EXPECT_EQ(draw(logits, p, history), first);
}

TEST_P(Sample, RefusesNanAndAnEmptyChoice) {
  SamplingParams p;
  const auto code_of = [&](std::vector<float> logits) {
    try {
      draw(std::move(logits), p, TokenHistory(3));
    } catch (const Error& e) {
      return e.code();
    }
    return ErrorCode::internal_error;
  };
  for (float temperature : {0.0f, 1.0f}) {
    p.temperature = temperature;
    EXPECT_EQ(code_of({1.0f, NAN, 2.0f}), ErrorCode::numeric_error);
    EXPECT_EQ(code_of({1.0f, INFINITY, 2.0f}), ErrorCode::numeric_error);
    EXPECT_EQ(code_of({-INFINITY, -INFINITY, -INFINITY}), ErrorCode::invalid_request);
  }
}

TEST_P(Sample, TopLogprobsMatchDouble) {
  const int64_t vocab = 65024;
  std::vector<float> logits = random_values(vocab, 8, 5.0f);
  logits[100] = logits[50000] = 40.0f;  // equals: the lower id first
  const TopLogprobs top = top_logprobs(compute, logits.data(), vocab, 5);
  double total = 0;
  for (float z : logits) total += std::exp(static_cast<double>(z) - 40.0);
  EXPECT_NEAR(top.logsumexp, 40.0 + std::log(total), 1e-5);
  ASSERT_EQ(top.count, 5);
  EXPECT_EQ(top.ids[0], 100);
  EXPECT_EQ(top.ids[1], 50000);
  std::vector<float> sorted = logits;
  std::sort(sorted.rbegin(), sorted.rend());
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(logits[top.ids[i]], sorted[i]);
    EXPECT_NEAR(top.logprobs[i], sorted[i] - (40.0 + std::log(total)), 1e-5);
  }
  ThreadPool one(1);
  EXPECT_EQ(top.logsumexp, top_logprobs(make_compute(one, Isa::scalar), logits.data(), vocab, 0).logsumexp);
  EXPECT_EQ(top_logprobs(compute, logits.data(), 3, 20).count, 3);
  EXPECT_THROW(top_logprobs(compute, logits.data(), vocab, 21), Error);
  const float few[] = {-INFINITY, 1.0f, -INFINITY, 3.0f};
  const TopLogprobs finite = top_logprobs(compute, few, 4, 3);
  ASSERT_EQ(finite.count, 2);
  EXPECT_EQ(finite.ids[0], 3);
  EXPECT_EQ(finite.ids[1], 1);
  logits[7] = NAN;
  EXPECT_THROW(top_logprobs(compute, logits.data(), vocab, 1), Error);
}

}  // namespace
EYRIE_EVERY_ISA(Sample);
}  // namespace eyrie::test
