#pragma once
// The steps before temperature: allowed tokens, biases, min_tokens, penalties (the order of sampling/sampling_params.h).

#include "cuda/kernels/sampler.h"
#include "cuda/kernels/sampler/view.h"
#include "sampling/penalties.h"

namespace eyrie::cuda::sampler {

struct Adjustments {
  const uint32_t* mask;    // null: all tokens are allowed
  const uint16_t* counts;  // null: no penalties
  const LogitBias* biases;
  int bias_count;
  const int32_t* stop_ids;  // those that cannot be drawn yet
  int stop_count;
  Penalties penalties;

  __device__ __forceinline__ bool none() const { return mask == nullptr && counts == nullptr && bias_count == 0 && stop_count == 0; }
  __device__ __forceinline__ float masked(float z, int id) const {
    return mask == nullptr || (mask[id / 32] >> (id % 32) & 1u) != 0 ? z : float_of(0xff800000u);
  }
  __device__ __forceinline__ float penalised(float z, int id) const {
    if (counts == nullptr) return z;
    const uint32_t entry = counts[id];
    return entry == 0 ? z : penalise(z, penalties, entry & 0x7fffu);
  }
};

__device__ __forceinline__ Adjustments adjustments_of(const SampleRow& row, const SlotSampling& sampling, const SlotStates& states,
                                                      const uint32_t* masks) {
  Adjustments a;
  a.mask = row.mask < 0 ? nullptr : masks + int64_t{row.mask} * words_of(states.vocab);
  a.counts = sampling.has_penalties == 0 ? nullptr : states.counts + int64_t{row.slot} * states.vocab;
  a.biases = states.biases + int64_t{row.slot} * states.biases_max;
  a.bias_count = sampling.biases;
  a.stop_ids = states.stop_ids;
  a.stop_count = sampling.output_tokens < sampling.min_tokens ? sampling.stop_ids : 0;
  a.penalties = {sampling.repetition_penalty, sampling.frequency_penalty, sampling.presence_penalty};
  return a;
}

/// out [vocab] = the logits that the row draws from.
__device__ __forceinline__ void adjust_row(const Adjustments& a, const float* raw, int vocab, float* out) {
  for (int id = static_cast<int>(threadIdx.x); id < vocab; id += kThreads) out[id] = a.penalised(a.masked(raw[id], id), id);
  __syncthreads();
  // Few ids have a bias: they are done again from the start, each by the thread of its first entry.
  for (int i = static_cast<int>(threadIdx.x); i < a.bias_count; i += kThreads) {
    const int id = a.biases[i].id;
    int first = 0;
    while (a.biases[first].id != id) ++first;
    if (first != i) continue;
    float z = a.masked(raw[id], id);
    for (int j = i; j < a.bias_count; ++j) {
      if (a.biases[j].id == id) z = z + a.biases[j].bias;
    }
    out[id] = a.penalised(z, id);
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < a.stop_count; i += kThreads) {
    const int id = a.stop_ids[i];
    out[id] = a.penalised(float_of(0xff800000u), id);
  }
  __syncthreads();
}

}  // namespace eyrie::cuda::sampler
