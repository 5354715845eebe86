// The sampler of the card against that of the CPU: the same ids, errors and log-probabilities, bit for bit.

#include "cuda/kernels/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "cpu/sampler/log_softmax.h"
#include "cpu/sampler/sample.h"
#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "test/emulation/card.h"

namespace eyrie::cuda {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int kBiasesMax = 8, kTopTokens = 20;

/// What a slot and the card's copy of it start from.
struct Sequence {
  SamplingParams params;
  TokenHistory history;
  std::vector<int32_t> prompt;
};

/// One row, its logits, and what the CPU makes of it.
struct Row {
  SampleRow sample;
  std::vector<float> logits;
  std::vector<uint32_t> allowed;  // empty: no grammar
  SampleResult expected;
};

struct Cpu {
  ThreadPool pool{1};
  Compute compute = make_compute(pool, Isa::scalar);
  SampleScratch scratch;

  bool holds_nan(const std::vector<float>& z) const { return compute.vector->max(z.data(), static_cast<int64_t>(z.size())).has_nan; }

  /// As the CPU's backend does it; a row that draws advances the history.
  SampleResult run(const Row& row, Sequence& sequence) {
    SampleResult result;
    result.top_count = 0;
    const auto vocab = static_cast<int64_t>(row.logits.size());
    std::vector<float> z = row.logits;
    try {
      if (!row.allowed.empty() && holds_nan(z)) throw Error(ErrorCode::numeric_error, "NaN");
      TopLogprobs best{};
      if (row.sample.top >= 0) best = top_logprobs(compute, z.data(), vocab, row.sample.top);
      int32_t told = row.sample.scored;
      if (row.sample.draws != 0) {
        told = result.token = sample(compute, z.data(), vocab, sequence.params, sequence.history,
                                     row.allowed.empty() ? nullptr : row.allowed.data(), scratch);
        sequence.history.add_output(told);
      }
      if (row.sample.top < 0) return result;
      result.logprob = row.logits[static_cast<size_t>(told)] - best.logsumexp;
      result.top_count = best.count;
      std::copy_n(best.ids, best.count, result.top_ids);
      std::copy_n(best.logprobs, best.count, result.top_logprobs);
    } catch (const Error& error) {
      result = {};
      result.token = -1;
      result.error = static_cast<int32_t>(error.code() == ErrorCode::invalid_request ? DrawError::nothing_allowed
                                          : holds_nan(z)                             ? DrawError::not_a_number
                                                                                     : DrawError::infinity);
    }
    return result;
  }
};

/// Slots on the card, and the rows of a pass.
class SamplerRun {
 public:
  explicit SamplerRun(int vocab, int slots) : vocab_(vocab) {
    states_.slots = slots;
    states_.vocab = vocab;
    states_.biases_max = kBiasesMax;
  }

  /// The states of `sequences` to the card.
  void open(const std::vector<Sequence>& sequences, const std::vector<int32_t>& stop_ids) {
    std::vector<SlotSampling> sampling;
    std::vector<LogitBias> biases(sequences.size() * kBiasesMax);
    for (size_t i = 0; i < sequences.size(); ++i) {
      const SamplingParams& p = sequences[i].params;
      sampling.push_back({p.temperature, p.top_p, p.min_p, p.repetition_penalty, p.frequency_penalty, p.presence_penalty, p.top_k,
                          static_cast<int32_t>(p.logit_bias.size()), static_cast<int32_t>(p.stop_ids.size()),
                          static_cast<uint32_t>(p.min_tokens), static_cast<uint32_t>(sequences[i].history.output_tokens()),
                          p.has_penalties() ? 1u : 0u, p.seed, p.request});
      std::copy(p.logit_bias.begin(), p.logit_bias.end(), biases.begin() + static_cast<ptrdiff_t>(i * kBiasesMax));
    }
    sampling_ = card_.put(sampling);
    biases_ = card_.put(biases);
    stop_ids_ = card_.put(stop_ids);
    drawn_ = card_.put(std::vector<int32_t>(sequences.size(), -1));
    counts_ = card_.device.alloc(sequences.size() * static_cast<size_t>(vocab_) * sizeof(uint16_t));
    states_.sampling = sampling_.as<SlotSampling>();
    states_.biases = biases_.as<LogitBias>();
    states_.stop_ids = stop_ids_.as<int32_t>();
    states_.stop_ids_max = static_cast<int>(stop_ids.size());
    states_.drawn = drawn_.as<int32_t>();
    states_.counts = counts_.as<uint16_t>();
    for (size_t i = 0; i < sequences.size(); ++i) {
      const DeviceBuffer prompt = card_.put(sequences[i].prompt);
      set_history(card_.stream, states_, static_cast<int>(i), prompt.as<int32_t>(), static_cast<int>(sequences[i].prompt.size()));
      card_.stream.synchronize();
    }
  }

  std::vector<SampleResult> draw(std::vector<Row>& rows) {
    std::vector<float> logits;
    std::vector<SampleRow> samples;
    std::vector<uint32_t> masks;
    const size_t words = (static_cast<size_t>(vocab_) + 31) / 32;
    for (Row& row : rows) {
      row.sample.logits_row = static_cast<int32_t>(samples.size());
      row.sample.mask = row.allowed.empty() ? -1 : static_cast<int32_t>(masks.size() / words);
      masks.insert(masks.end(), row.allowed.begin(), row.allowed.end());
      samples.push_back(row.sample);
      logits.insert(logits.end(), row.logits.begin(), row.logits.end());
    }
    const DeviceBuffer on_card = card_.put(logits), row_buffer = card_.put(samples), mask_buffer = card_.put(masks);
    const DeviceBuffer scratch = card_.device.alloc(sampler_scratch_bytes(static_cast<int>(rows.size()), vocab_));
    const DeviceBuffer results = card_.device.alloc(rows.size() * sizeof(SampleResult));
    draw_rows(card_.stream, on_card.as<float>(), row_buffer.as<SampleRow>(), static_cast<int>(rows.size()), mask_buffer.as<uint32_t>(),
              states_, scratch.data(), results.as<SampleResult>());
    EXPECT_TRUE(std::equal(logits.begin(), logits.end(), card_.get<float>(on_card).begin(), [](float a, float b) {
      return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b);
    })) << "logits are only read";
    return card_.get<SampleResult>(results);
  }

  std::vector<int32_t> drawn() { return card_.get<int32_t>(drawn_); }
  std::vector<uint16_t> counts() { return card_.get<uint16_t>(counts_); }
  std::vector<SlotSampling> sampling() { return card_.get<SlotSampling>(sampling_); }

 private:
  test::Card card_;
  int vocab_;
  SlotStates states_;
  DeviceBuffer sampling_, biases_, stop_ids_, drawn_, counts_;
};

/// Everything that is random in a test.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  int below(int limit) { return std::uniform_int_distribution<int>(0, limit - 1)(engine_); }
  bool chance(double p) { return std::bernoulli_distribution(p)(engine_); }
  float normal(float scale) { return std::normal_distribution<float>(0, scale)(engine_); }
  uint64_t bits() { return engine_(); }

  std::vector<float> logits(int vocab) {
    std::vector<float> z(static_cast<size_t>(vocab));
    const float scales[] = {0.0f, 1e-6f, 0.3f, 2.0f, 6.0f, 60.0f, 1e30f};
    const float scale = scales[below(7)], shift = chance(0.3) ? normal(30.0f) : 0.0f;
    for (float& v : z) v = normal(scale) + shift;
    if (chance(0.4)) {  // ties
      const float grid = chance(0.5) ? 4.0f : 0.25f;
      for (float& v : z) v = std::round(v / grid) * grid;  // gives zeros of both signs, too
    }
    if (chance(0.3)) z[static_cast<size_t>(below(vocab))] += 20.0f;
    if (chance(0.3)) {
      for (float& v : z) v = chance(0.5) ? -kInfinity : v;
    }
    if (chance(0.04)) z[static_cast<size_t>(below(vocab))] = std::bit_cast<float>(chance(0.5) ? 0x7fc00000u : 0xffc00001u);
    if (chance(0.04)) z[static_cast<size_t>(below(vocab))] = kInfinity;
    if (chance(0.02)) std::fill(z.begin(), z.end(), -kInfinity);
    return z;
  }

  SamplingParams params(int vocab, const std::vector<int32_t>& stop_ids) {
    SamplingParams p;
    const float temperatures[] = {0.0f, 1e-5f, 0.1f, 0.7f, 1.0f, 1.0f, 3.0f, 1e6f};
    p.temperature = temperatures[below(8)];
    const int ks[] = {1, 2, 20, 50, 1000, 3000, vocab - 1, vocab, vocab + 1};
    if (chance(0.4)) p.top_k = std::max(ks[below(9)], 0);
    const float ps[] = {1e-30f, 1e-44f, 0.1f, 0.5f, 0.9f, 0.99f, 0.9999999f};
    if (chance(0.5)) p.top_p = ps[below(7)];
    const float mins[] = {1e-30f, 1e-13f, 1e-3f, 0.05f, 0.5f, 1.0f};
    if (chance(0.3)) p.min_p = mins[below(6)];
    if (chance(0.3)) p.repetition_penalty = chance(0.5) ? 1.3f : 0.7f;
    if (chance(0.3)) p.frequency_penalty = normal(1.0f);
    if (chance(0.3)) p.presence_penalty = normal(1.0f);
    if (chance(0.4)) p.min_tokens = below(4);
    p.stop_ids = stop_ids;
    for (int i = chance(0.4) ? below(kBiasesMax + 1) : 0; i > 0; --i) {  // the same id more than once, too
      p.logit_bias.push_back({below(std::min(vocab, 12)), chance(0.2) ? -1e6f : normal(5.0f)});
    }
    p.seed = bits();
    p.request = bits();
    return p;
  }

  std::vector<uint32_t> mask(int vocab) {
    std::vector<uint32_t> words((static_cast<size_t>(vocab) + 31) / 32);
    const double share = chance(0.5) ? 0.02 : 0.7;
    for (uint32_t& word : words) {
      for (int bit = 0; bit < 32; ++bit) word |= static_cast<uint32_t>(chance(share)) << bit;
      if (chance(0.2)) word = ~0u;
    }
    return words;
  }

 private:
  std::mt19937_64 engine_;
};

void expect_equal(const SampleResult& got, const SampleResult& want, const std::string& where) {
  ASSERT_EQ(got.error, want.error) << where;
  ASSERT_EQ(got.token, want.token) << where;
  ASSERT_EQ(std::bit_cast<uint32_t>(got.logprob), std::bit_cast<uint32_t>(want.logprob)) << where << got.logprob << " " << want.logprob;
  ASSERT_EQ(got.top_count, want.top_count) << where;
  for (int i = 0; i < want.top_count; ++i) {
    ASSERT_EQ(got.top_ids[i], want.top_ids[i]) << where << "top " << i;
    ASSERT_EQ(std::bit_cast<uint32_t>(got.top_logprobs[i]), std::bit_cast<uint32_t>(want.top_logprobs[i])) << where << "top " << i;
  }
}

std::string describe(const SamplingParams& p, const Row& row) {
  return "temperature " + std::to_string(p.temperature) + " top_k " + std::to_string(p.top_k) + " top_p " + std::to_string(p.top_p) +
         " min_p " + std::to_string(p.min_p) + " biases " + std::to_string(p.logit_bias.size()) + " min_tokens " +
         std::to_string(p.min_tokens) + " penalties " + std::to_string(p.has_penalties()) + " top " + std::to_string(row.sample.top) +
         " mask " + std::to_string(row.sample.mask) + " ";
}

/// `slots` sequences of random parameters that draw `passes` times from random logits, with rows that are scored among them. Returns
/// the bytes of all results.
std::vector<SampleResult> compare(int vocab, int slots, int passes, uint64_t seed) {
  Dice dice(seed);
  std::vector<int32_t> stop_ids;
  for (int i = 0; i < 2; ++i) stop_ids.push_back(dice.below(vocab));
  std::vector<Sequence> sequences;
  for (int i = 0; i < slots; ++i) {
    sequences.push_back({dice.params(vocab, stop_ids), TokenHistory(vocab), {}});
    for (int j = dice.below(40); j >= 0; --j) sequences.back().prompt.push_back(dice.below(dice.chance(0.5) ? std::min(vocab, 30) : vocab));
    for (const int32_t id : sequences.back().prompt) sequences.back().history.add_prompt(id);
  }
  Cpu cpu;
  SamplerRun card(vocab, slots);
  card.open(sequences, stop_ids);
  std::vector<SampleResult> all;
  std::vector<int32_t> last(sequences.size(), -1);
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<Row> rows;
    for (int slot = 0; slot < slots; ++slot) {
      Row row{{}, dice.logits(vocab), {}, {}};
      row.sample.slot = slot;
      row.sample.draws = dice.chance(0.85) ? 1 : 0;
      if (row.sample.draws == 0) row.sample.scored = dice.below(vocab);
      if (row.sample.draws == 0 || dice.chance(0.5)) row.sample.top = dice.chance(0.3) ? 0 : dice.below(kTopTokens + 1);
      if (row.sample.draws == 1 && dice.chance(0.3)) row.allowed = dice.mask(vocab);
      row.expected = cpu.run(row, sequences[static_cast<size_t>(slot)]);
      if (row.sample.draws == 0) row.expected.token = -1;
      if (row.expected.error != 0) row.expected.token = -1;
      if (row.expected.token >= 0) last[static_cast<size_t>(slot)] = row.expected.token;
      rows.push_back(std::move(row));
    }
    const std::vector<SampleResult> results = card.draw(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::string where = "vocab " + std::to_string(vocab) + " seed " + std::to_string(seed) + " pass " + std::to_string(pass) +
                                " row " + std::to_string(i) + ": " + describe(sequences[i].params, rows[i]);
      expect_equal(results[i], rows[i].expected, where);
      if (testing::Test::HasFatalFailure()) return all;
      all.push_back(results[i]);
    }
  }
  EXPECT_EQ(card.drawn(), last);
  const std::vector<uint16_t> counts = card.counts();
  const std::vector<SlotSampling> sampling = card.sampling();
  for (size_t i = 0; i < sequences.size(); ++i) {
    EXPECT_EQ(sampling[i].output_tokens, static_cast<uint32_t>(sequences[i].history.output_tokens()));
    if (!sequences[i].params.has_penalties()) continue;
    std::vector<uint16_t> want(static_cast<size_t>(vocab));
    for (const int32_t id : sequences[i].history.distinct()) {
      want[static_cast<size_t>(id)] = static_cast<uint16_t>(0x8000u | sequences[i].history.output_count(id));
    }
    EXPECT_TRUE(std::equal(want.begin(), want.end(), counts.begin() + static_cast<ptrdiff_t>(i * static_cast<size_t>(vocab))))
        << "slot " << i;
  }
  return all;
}

TEST(Sampler, DrawsTheIdsOfTheCpuFromSmallVocabularies) {
  uint64_t seed = 1;
  for (const int vocab : {1, 2, 3, 31, 32, 33, 64, 100, 511, 512, 513, 1000, 1023, 1024, 1025, 2047, 2049, 4097}) {
    for (int round = 0; round < (vocab < 600 ? 8 : 3); ++round) {
      compare(vocab, 8, 4, seed++);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Sampler, DrawsTheIdsOfTheCpuFromFullVocabularies) {
  uint64_t seed = 1000;
  for (const int vocab : {65024, 65024, 65025, 70000, 140000}) {
    compare(vocab, 8, 3, seed++);
    if (HasFatalFailure()) return;
  }
}

TEST(Sampler, TheOrderOfThreadsDoesNotMatter) {
  std::vector<SampleResult> first;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    emulation::set_seed(seed);
    const std::vector<SampleResult> results = compare(5000, 6, 2, 77);
    if (HasFatalFailure()) return;
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
      SamplerRun card(kVocab, 1);
      card.open(sequences, {0});
      for (int pass = 0; pass < 6; ++pass) {
        std::vector<Row> rows(1);
        rows[0].logits.assign(kVocab, 0.5f);
        rows[0].logits[17] = 0.75f;
        rows[0].sample.draws = 1;
        rows[0].expected = cpu.run(rows[0], sequences[0]);
        // Equal masses: the run ends at p of the ids that are left.
        ASSERT_LT(rows[0].expected.token, static_cast<int>(p * static_cast<float>(k == 0 ? kVocab : k)) + 2);
        expect_equal(card.draw(rows)[0], rows[0].expected, "p " + std::to_string(p) + " k " + std::to_string(k) + " ");
        if (HasFatalFailure()) return;
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
  SamplerRun card(kVocab, 1);
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
