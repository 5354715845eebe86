#pragma once
// The sampler of the card over slots and rows that somebody chose, and what the CPU makes of the same rows. Shared by the checks and by
// the tests of the emulation.

#include <algorithm>
#include <cstring>
#include <vector>

#include "cpu/sampler/log_softmax.h"
#include "cpu/sampler/sample.h"
#include "cpu/vector/vector_kernels.h"
#include "cuda/kernels/sampler.h"
#include "error.h"
#include "gpu/on_card.h"

namespace eyrie::gpu::draws {

using cuda::draw_rows;
using cuda::sampler_scratch_bytes;
using cuda::SampleResult;
using cuda::SampleRow;
using cuda::set_history;
using cuda::SlotSampling;
using cuda::SlotStates;

inline constexpr int kBiasesMax = 8;

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
  ThreadPool pool{1, false};
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
  SamplerRun(const OnCard& card, int vocab, int slots) : card_(card), vocab_(vocab) {
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
      const cuda::DeviceBuffer prompt = card_.put(sequences[i].prompt);
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
    const cuda::DeviceBuffer on_card = card_.put(logits), row_buffer = card_.put(samples), mask_buffer = card_.put(masks);
    const cuda::DeviceBuffer scratch = card_.device.alloc(sampler_scratch_bytes(static_cast<int>(rows.size()), vocab_));
    const cuda::DeviceBuffer results = card_.device.alloc(rows.size() * sizeof(SampleResult));
    draw_rows(card_.stream, on_card.as<float>(), row_buffer.as<SampleRow>(), static_cast<int>(rows.size()), mask_buffer.as<uint32_t>(),
              states_, scratch.data(), results.as<SampleResult>());
    const std::vector<float> after = card_.get<float>(on_card);
    logits_kept_ = logits_kept_ && std::memcmp(after.data(), logits.data(), logits.size() * sizeof(float)) == 0;
    return card_.get<SampleResult>(results);
  }

  /// Logits are only read.
  bool logits_kept() const { return logits_kept_; }
  std::vector<int32_t> drawn() { return card_.get<int32_t>(drawn_); }
  std::vector<uint16_t> counts() { return card_.get<uint16_t>(counts_); }
  std::vector<SlotSampling> sampling() { return card_.get<SlotSampling>(sampling_); }

 private:
  OnCard card_;
  int vocab_;
  bool logits_kept_ = true;
  SlotStates states_;
  cuda::DeviceBuffer sampling_, biases_, stop_ids_, drawn_, counts_;
};

}  // namespace eyrie::gpu::draws
