#pragma once
// Draws of the card against those of the CPU: the same ids, errors, log-probabilities and states, bit for bit.

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "gpu/checks/sampler/random_requests.h"

namespace eyrie::gpu::draws {

inline bool same_bits(float a, float b) { return std::bit_cast<uint32_t>(a) == std::bit_cast<uint32_t>(b); }

/// Empty where they are equal.
inline std::string difference(const SampleResult& got, const SampleResult& want) {
  const auto differ = [](const char* what, auto a, auto b) {
    return std::string(what) + " is " + std::to_string(a) + ", wanted " + std::to_string(b);
  };
  if (got.error != want.error) return differ("error", got.error, want.error);
  if (got.token != want.token) return differ("token", got.token, want.token);
  if (!same_bits(got.logprob, want.logprob)) return differ("logprob", got.logprob, want.logprob);
  if (got.top_count != want.top_count) return differ("top_count", got.top_count, want.top_count);
  for (int i = 0; i < want.top_count; ++i) {
    if (got.top_ids[i] != want.top_ids[i]) return differ("an id of the best", got.top_ids[i], want.top_ids[i]);
    if (!same_bits(got.top_logprobs[i], want.top_logprobs[i])) {
      return differ("a logprob of the best", got.top_logprobs[i], want.top_logprobs[i]);
    }
  }
  return "";
}

inline std::string describe(const SamplingParams& p, const Row& row) {
  return "temperature " + std::to_string(p.temperature) + " top_k " + std::to_string(p.top_k) + " top_p " + std::to_string(p.top_p) +
         " min_p " + std::to_string(p.min_p) + " biases " + std::to_string(p.logit_bias.size()) + " min_tokens " +
         std::to_string(p.min_tokens) + " penalties " + std::to_string(p.has_penalties()) + " top " + std::to_string(row.sample.top) +
         " mask " + std::to_string(row.sample.mask) + " ";
}

struct Comparison {
  std::vector<SampleResult> results;  ///< of all rows and passes, those of the card
  std::string difference;             ///< the first that was found; empty: none
};

/// What the slots hold after the last pass.
inline std::string states_difference(SamplerRun& card, const std::vector<Sequence>& sequences, const std::vector<int32_t>& last,
                                     int vocab) {
  if (!card.logits_kept()) return "logits were written to";
  if (card.drawn() != last) return "the tokens drawn last differ";
  const std::vector<uint16_t> counts = card.counts();
  const std::vector<SlotSampling> sampling = card.sampling();
  for (size_t i = 0; i < sequences.size(); ++i) {
    const TokenHistory& history = sequences[i].history;
    if (sampling[i].output_tokens != static_cast<uint32_t>(history.output_tokens())) return "slot " + std::to_string(i) + ": output_tokens";
    if (!sequences[i].params.has_penalties()) continue;
    std::vector<uint16_t> want(static_cast<size_t>(vocab));
    for (const int32_t id : history.distinct()) {
      want[static_cast<size_t>(id)] = static_cast<uint16_t>(0x8000u | history.output_count(id));
    }
    if (!std::equal(want.begin(), want.end(), counts.begin() + static_cast<ptrdiff_t>(i * static_cast<size_t>(vocab)))) {
      return "slot " + std::to_string(i) + ": counts";
    }
  }
  return "";
}

/// `slots` sequences of random parameters that draw `passes` times from random logits, with rows that are scored among them.
inline Comparison compare_draws(const OnCard& on_card, int vocab, int slots, int passes, uint64_t seed) {
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
  SamplerRun card(on_card, vocab, slots);
  card.open(sequences, stop_ids);
  Comparison comparison;
  const std::string where = "vocab " + std::to_string(vocab) + " seed " + std::to_string(seed) + " ";
  std::vector<int32_t> last(sequences.size(), -1);
  for (int pass = 0; pass < passes; ++pass) {
    std::vector<Row> rows;
    for (int slot = 0; slot < slots; ++slot) {
      Row row{{}, dice.logits(vocab), {}, {}};
      row.sample.slot = slot;
      row.sample.draws = dice.chance(0.85) ? 1 : 0;
      if (row.sample.draws == 0) row.sample.scored = dice.below(vocab);
      if (row.sample.draws == 0 || dice.chance(0.5)) row.sample.top = dice.chance(0.3) ? 0 : dice.below(kTopLogprobsMax + 1);
      if (row.sample.draws == 1 && dice.chance(0.3)) row.allowed = dice.mask(vocab);
      row.expected = cpu.run(row, sequences[static_cast<size_t>(slot)]);
      if (row.sample.draws == 0) row.expected.token = -1;
      if (row.expected.error != 0) row.expected.token = -1;
      if (row.expected.token >= 0) last[static_cast<size_t>(slot)] = row.expected.token;
      rows.push_back(std::move(row));
    }
    const std::vector<SampleResult> results = card.draw(rows);
    for (size_t i = 0; i < rows.size(); ++i) {
      comparison.difference = difference(results[i], rows[i].expected);
      if (!comparison.difference.empty()) {
        comparison.difference = where + "pass " + std::to_string(pass) + " row " + std::to_string(i) + ": " +
                                describe(sequences[i].params, rows[i]) + comparison.difference;
        return comparison;
      }
      comparison.results.push_back(results[i]);
    }
  }
  const std::string states = states_difference(card, sequences, last, vocab);
  if (!states.empty()) comparison.difference = where + states;
  return comparison;
}

}  // namespace eyrie::gpu::draws
