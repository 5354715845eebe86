// The sampler of the card against that of the CPU: the same ids, errors and log-probabilities, bit for bit.

#include "cuda/kernels/sampler.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

#include "gpu/checks/sampler/compare_draws.h"
#include "test/emulation/card.h"

namespace eyrie::cuda {
namespace {

using namespace gpu::draws;

std::vector<SampleResult> compare(int vocab, int slots, int passes, uint64_t seed) {
  test::Card card;
  const Comparison comparison = compare_draws(card, vocab, slots, passes, seed);
  EXPECT_EQ(comparison.difference, "");
  return comparison.results;
}

TEST(Sampler, DrawsTheIdsOfTheCpuFromSmallVocabularies) {
  uint64_t seed = 1;
  for (const int vocab : {1, 2, 3, 31, 32, 33, 64, 100, 511, 512, 513, 1000, 1023, 1024, 1025, 2047, 2049, 4097}) {
    for (int round = 0; round < (vocab < 600 ? 8 : 3); ++round) {
      compare(vocab, 8, 4, seed++);
      if (HasFailure()) return;
    }
  }
}

TEST(Sampler, DrawsTheIdsOfTheCpuFromFullVocabularies) {
  uint64_t seed = 1000;
  for (const int vocab : {65024, 65024, 65025, 70000, 140000}) {
    compare(vocab, 8, 3, seed++);
    if (HasFailure()) return;
  }
}

TEST(Sampler, TheOrderOfThreadsDoesNotMatter) {
  std::vector<SampleResult> first;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    emulation::set_seed(seed);
    const std::vector<SampleResult> results = compare(5000, 6, 2, 77);
    if (HasFailure()) return;
    if (seed == 1) first = results;
    for (size_t i = 0; i < results.size(); ++i) {
      // Entries past top_count are never written.
      ASSERT_EQ(results[i].token, first[i].token);
      ASSERT_EQ(std::bit_cast<uint32_t>(results[i].logprob), std::bit_cast<uint32_t>(first[i].logprob));
      ASSERT_EQ(results[i].top_count, first[i].top_count);
      const auto count = static_cast<size_t>(first[i].top_count);
      ASSERT_EQ(std::memcmp(results[i].top_ids, first[i].top_ids, count * sizeof(int32_t)), 0);
      ASSERT_EQ(std::memcmp(results[i].top_logprobs, first[i].top_logprobs, count * sizeof(float)), 0);
    }
  }
}

TEST(Sampler, ManyEqualTokensDoNotFitAListAndAreCutExactly) {
  constexpr int kVocab = 6000;
  for (const float p : {0.25f, 0.5f, 0.9f}) {
    for (const int32_t k : {0, 2049, 4000}) {
      std::vector<Sequence> sequences;
      sequences.push_back({{}, TokenHistory(kVocab), {0}});
      sequences[0].params.top_p = p;
      sequences[0].params.top_k = k;
      Cpu cpu;
      test::Card on;
      SamplerRun card(on, kVocab, 1);
      card.open(sequences, {0});
      for (int pass = 0; pass < 6; ++pass) {
        std::vector<Row> rows(1);
        rows[0].logits.assign(kVocab, 0.5f);
        rows[0].logits[17] = 0.75f;
        rows[0].sample.draws = 1;
        rows[0].expected = cpu.run(rows[0], sequences[0]);
        // Equal masses: the run ends at p of the ids that are left.
        ASSERT_LT(rows[0].expected.token, static_cast<int>(p * static_cast<float>(k == 0 ? kVocab : k)) + 2);
        ASSERT_EQ(difference(card.draw(rows)[0], rows[0].expected), "") << "p " << p << " k " << k;
      }
    }
  }
}

TEST(Sampler, CountsStopAtTheirLargestValue) {
  constexpr int kVocab = 40;
  std::vector<Sequence> sequences;
  sequences.push_back({{}, TokenHistory(kVocab), {3}});
  sequences[0].params.temperature = 0;
  sequences[0].params.presence_penalty = 0.25f;
  test::Card on;
  SamplerRun card(on, kVocab, 1);
  card.open(sequences, {0});
  std::vector<Row> rows(1);
  rows[0].logits.assign(kVocab, 0.0f);
  rows[0].logits[7] = 9.0f;
  rows[0].sample.draws = 1;
  for (int pass = 0; pass < 3; ++pass) ASSERT_EQ(card.draw(rows)[0].token, 7);
  EXPECT_EQ(card.counts()[7], 0x8003);
  EXPECT_EQ(card.counts()[3], 0x8000);
}

}  // namespace
}  // namespace eyrie::cuda
