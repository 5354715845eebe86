// Until cuda/kernels/sampler.cu is there: the CPU's sampler behind the same header.

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/compute.h"
#include "cuda/kernels/sampler.h"
#include "emulation/submit.h"
#include "engine/backend.h"
#include "error.h"
#include "sampling/log_softmax.h"
#include "sampling/sample.h"

namespace eyrie::cuda {

void set_history(Stream& stream, const SlotStates& states, int slot, const int32_t* prompt, int tokens) {
  emulation::submit(stream, [=] {
    uint16_t* counts = states.counts + size_t(slot) * states.vocab;
    std::fill(counts, counts + states.vocab, 0);
    for (int i = 0; i < tokens; ++i) counts[prompt[i]] |= 0x8000;
  });
}

size_t sampler_scratch_bytes(int rows_max, int vocab) { return size_t(rows_max) * vocab; }

namespace {
void one(float* logits, const SampleRow& row, const uint32_t* masks, const SlotStates& states, SampleResult& result) {
  static ThreadPool pool(1, false);
  const Compute compute = make_compute(pool, Isa::scalar);
  const int vocab = states.vocab;
  float* z = logits + size_t(row.logits_row) * vocab;
  result = SampleResult{};
  if (std::any_of(z, z + vocab, [](float v) { return std::isnan(v); })) {
    result.error = int32_t(DrawError::not_a_number);
    return;
  }
  SlotSampling& slot = states.sampling[row.slot];
  const std::vector<float> raw(z, z + vocab);
  TopLogprobs best{};
  if (row.top >= 0 || row.scored >= 0) best = top_logprobs(compute, raw.data(), vocab, std::max(row.top, 0));
  result.top_count = row.top > 0 ? best.count : 0;
  for (int i = 0; i < result.top_count; ++i) {
    result.top_ids[i] = best.ids[i];
    result.top_logprobs[i] = best.logprobs[i];
  }
  if (row.scored >= 0) result.logprob = raw[row.scored] - best.logsumexp;
  if (!row.draws) return;
  SamplingParams params;
  params.temperature = slot.temperature;
  params.top_k = slot.top_k;
  params.top_p = slot.top_p;
  params.min_p = slot.min_p;
  params.repetition_penalty = slot.repetition_penalty;
  params.frequency_penalty = slot.frequency_penalty;
  params.presence_penalty = slot.presence_penalty;
  params.min_tokens = slot.min_tokens;
  params.seed = slot.seed;
  params.request = slot.request;
  for (int i = 0; i < slot.biases; ++i) params.logit_bias.push_back(states.biases[size_t(row.slot) * states.biases_max + i]);
  for (int i = 0; i < slot.stop_ids; ++i) params.stop_ids.push_back(states.stop_ids[i]);
  TokenHistory history(vocab);
  uint16_t* counts = states.counts + size_t(row.slot) * vocab;
  if (slot.has_penalties) {
    for (int id = 0; id < vocab; ++id) {
      if (counts[id] & 0x8000) history.add_prompt(id);
      for (int n = 0; n < (counts[id] & 0x7fff); ++n) history.add_output(id);
    }
  } else {
    for (uint32_t i = 0; i < slot.output_tokens; ++i) history.add_output(0);
  }
  SampleScratch scratch;
  const uint32_t* allowed = row.mask < 0 ? nullptr : masks + size_t(row.mask) * ((vocab + 31) / 32);
  try {
    result.token = sample(compute, z, vocab, params, history, allowed, scratch);
  } catch (const Error& error) {
    result.error = int32_t(error.code() == ErrorCode::numeric_error ? DrawError::not_a_number : DrawError::nothing_allowed);
    return;
  }
  if (row.top >= 0) result.logprob = raw[result.token] - best.logsumexp;
  if (slot.has_penalties) counts[result.token] = uint16_t((counts[result.token] + 1) | 0x8000);
  states.drawn[row.slot] = result.token;
  ++slot.output_tokens;
}
}  // namespace

void draw_rows(Stream& stream, float* logits, const SampleRow* rows, int count, const uint32_t* masks, const SlotStates& states, void*,
               SampleResult* results) {
  emulation::submit(stream, [=] {
    for (int i = 0; i < count; ++i) one(logits, rows[i], masks, states, results[i]);
  });
}

}  // namespace eyrie::cuda
