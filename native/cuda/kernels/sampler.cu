#include "cuda/kernels/sampler.h"

#include "cuda/kernels/launch.h"
#include "cuda/kernels/sampler/adjust.h"
#include "cuda/kernels/sampler/best_run.h"
#include "cuda/kernels/sampler/view.h"
#include "sampling/philox.h"

namespace eyrie::cuda {

namespace sampler {

__global__ void set_history_kernel(uint16_t* counts, int vocab, const int32_t* prompt, int tokens) {
  for (int id = static_cast<int>(threadIdx.x); id < vocab; id += kThreads) counts[id] = 0;
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < tokens; i += kThreads) counts[prompt[i]] = 0x8000;
}

/// The log-sum of a row whose best logit is known, and its best tokens into `result`; returns their number.
__device__ __forceinline__ int report(View view, const Shared& shared, int top, float* log_sum, SampleResult* result) {
  uint64_t mass = 0;
  for_each(view, [&](int, float z) { mass += view.mass(z); });
  *log_sum = log_sum_of(view.best, block_sum(mass, shared.slots));
  if (top == 0) return 0;

  const float* const raw = view.values;
  Edge kept = everything();
  keep_best_run(view, shared, kept, Measure::count, [=](uint64_t) { return static_cast<uint64_t>(top); });
  if (threadIdx.x == 0) *shared.counter = 0;
  __syncthreads();
  for_each(view, [&](int position, float z) {
    if (!kept.keeps(z, position)) return;
    shared.top[atomicAdd(shared.counter, 1u)] = uint64_t{key_of(z)} << 32 | static_cast<uint32_t>(~view.id(position));
  });
  __syncthreads();
  const int count = static_cast<int>(*shared.counter);
  if (static_cast<int>(threadIdx.x) < count) {
    const uint64_t own = shared.top[threadIdx.x];
    int rank = 0;
    for (int i = 0; i < count; ++i) rank += shared.top[i] > own ? 1 : 0;
    const int id = static_cast<int>(~static_cast<uint32_t>(own));
    result->top_ids[rank] = id;
    result->top_logprobs[rank] = raw[id] - *log_sum;
  }
  __syncthreads();
  return count;
}

/// What follows temperature: top_k, top_p, min_p, and the inverse CDF in ascending order of ids.
__device__ __forceinline__ int draw(View view, const Shared& shared, const SlotSampling& sampling) {
  Edge kept = everything();
  if (sampling.top_k > 0 && sampling.top_k < view.count) {
    keep_best_run(view, shared, kept, Measure::count, [&](uint64_t) { return static_cast<uint64_t>(sampling.top_k); });
  }
  if (sampling.top_p < 1.0f) {
    keep_best_run(view, shared, kept, Measure::mass, [&](uint64_t total) { return top_p_limit(sampling.top_p, total); });
  }
  const uint64_t least = sampling.min_p > 0 ? mass_of(sampling.min_p) : 0;
  const auto measure = [&](int position, float z) {
    if (!kept.keeps(z, position)) return uint64_t{0};
    const uint64_t mass = view.mass(z);
    return mass >= least ? mass : uint64_t{0};
  };
  const uint64_t total = sum_chunks(view, shared, measure);
  const uint64_t target = draw_target(philox_bits(sampling.seed, sampling.request, sampling.output_tokens), total);
  return view.id(find_position(view, shared, target, measure));
}

/// The token of a row that draws; -1 with an error.
__device__ __forceinline__ int choose(const SampleRow& row, const float* raw, const SlotSampling& sampling, const SlotStates& states,
                                      const uint32_t* masks, float* scratch, const Shared& shared, DrawError* error) {
  const float* logits = raw;
  const Adjustments adjustments = adjustments_of(row, sampling, states, masks);
  if (!adjustments.none()) {
    adjust_row(adjustments, raw, states.vocab, scratch);
    logits = scratch;
  }
  const bool greedy = sampling.temperature < kGreedyBelow;
  View view{logits, nullptr, states.vocab, greedy ? 1.0f : 1.0f / sampling.temperature, 0.0f};
  const uint64_t best = best_of(view, shared);
  const uint32_t key = static_cast<uint32_t>(best >> 32);
  *error = key == kKeyOfNan             ? DrawError::not_a_number
           : key == kKeyOfInfinity      ? DrawError::infinity
           : key == kKeyOfMinusInfinity ? DrawError::nothing_allowed
                                        : DrawError::none;
  if (*error != DrawError::none) return -1;
  if (greedy) return static_cast<int>(~static_cast<uint32_t>(best));
  view.best = value_of(key);
  return draw(view, shared, sampling);
}

__device__ __forceinline__ void advance(const SlotStates& states, int slot, int token) {
  states.drawn[slot] = token;
  SlotSampling& sampling = states.sampling[slot];
  ++sampling.output_tokens;
  if (sampling.has_penalties == 0) return;
  uint16_t& entry = states.counts[int64_t{slot} * states.vocab + token];
  const uint32_t count = entry & 0x7fffu;
  entry = static_cast<uint16_t>(0x8000u | (count < 0x7fffu ? count + 1 : count));
}

__global__ void __launch_bounds__(kThreads, 2) draw_rows_kernel(const float* logits, const SampleRow* rows, const uint32_t* masks,
                                                                SlotStates states, float* scratch, SampleResult* results) {
  const int vocab = states.vocab;
  const Shared shared = divide_shared(vocab);
  const SampleRow row = rows[blockIdx.x];
  SampleResult* const result = results + blockIdx.x;
  const float* const raw = logits + int64_t{row.logits_row} * vocab;

  DrawError error = DrawError::none;
  float log_sum = 0;
  int top_count = 0, token = -1;
  // A mask would hide a NaN that it covers; the sequence must end the same way with it and without.
  if (row.top >= 0 || row.mask >= 0) {
    View view{raw, nullptr, vocab, 1.0f, 0.0f};
    const uint32_t key = static_cast<uint32_t>(best_of(view, shared) >> 32);
    if (key == kKeyOfNan) error = DrawError::not_a_number;
    if (row.top >= 0 && (key == kKeyOfInfinity || key == kKeyOfMinusInfinity)) error = DrawError::infinity;
    if (row.top >= 0 && error == DrawError::none) {
      view.best = value_of(key);
      top_count = report(view, shared, row.top < kTopLogprobsMax ? row.top : kTopLogprobsMax, &log_sum, result);
    }
  }
  if (row.draws != 0 && error == DrawError::none) {
    const SlotSampling sampling = states.sampling[row.slot];
    token = choose(row, raw, sampling, states, masks, scratch + int64_t{blockIdx.x} * vocab, shared, &error);
  }
  // All threads have read the slot's state: there were barriers since.
  if (threadIdx.x != 0) return;
  const bool ok = error == DrawError::none;
  const int told = row.draws != 0 ? token : row.scored;
  result->error = static_cast<int32_t>(error);
  result->token = token;
  result->logprob = ok && row.top >= 0 && told >= 0 ? raw[told] - log_sum : 0.0f;
  result->top_count = ok ? top_count : 0;
  if (ok && row.draws != 0) advance(states, row.slot, token);
}

}  // namespace sampler

void set_history(Stream& stream, const SlotStates& states, int slot, const int32_t* prompt, int tokens) {
  EYRIE_LAUNCH(sampler::set_history_kernel, 1, sampler::kThreads, 0, stream, states.counts + int64_t{slot} * states.vocab, states.vocab,
               prompt, tokens);
}

size_t sampler_scratch_bytes(int rows_max, int vocab) { return static_cast<size_t>(rows_max) * static_cast<size_t>(vocab) * sizeof(float); }

void draw_rows(Stream& stream, const float* logits, const SampleRow* rows, int count, const uint32_t* masks, const SlotStates& states,
               void* scratch, SampleResult* results) {
  if (count == 0) return;
  EYRIE_LAUNCH(sampler::draw_rows_kernel, count, sampler::kThreads, sampler::shared_bytes(states.vocab), stream, logits, rows, masks,
               states, static_cast<float*>(scratch), results);
}

}  // namespace eyrie::cuda
