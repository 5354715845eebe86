#include "cpu/sampler/sample.h"

#include <algorithm>
#include <cmath>

#include "cpu/sampler/kept_tokens.h"
#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "sampling/masses.h"
#include "sampling/penalties.h"
#include "sampling/philox.h"

namespace eyrie {

namespace {

constexpr float kNever = -INFINITY;

[[noreturn]] void refuse_logits(const RowMax& best) {
  if (best.has_nan) throw Error(ErrorCode::numeric_error, "the logits hold a NaN; the sequence cannot continue");
  if (best.value > 0) throw Error(ErrorCode::numeric_error, "the logits hold an infinity; the sequence cannot continue");
  throw Error(ErrorCode::invalid_request, "no token is allowed: logit_bias, min_tokens and the grammar exclude them all");
}

void apply_masks_and_bias(float* z, int64_t vocab, const SamplingParams& params, const TokenHistory& history, const uint32_t* allowed) {
  for (int64_t first = 0; allowed != nullptr && first < vocab; first += 32) {
    const uint32_t word = allowed[first / 32];
    if (word == ~0u) continue;
    const int64_t end = std::min(first + 32, vocab);
    for (int64_t id = first; id < end; ++id) z[id] = (word >> (id - first) & 1u) != 0 ? z[id] : kNever;
  }
  for (const LogitBias& b : params.logit_bias) z[b.id] = z[b.id] + b.bias;
  if (history.output_tokens() < params.min_tokens)
    for (const int32_t id : params.stop_ids) z[id] = kNever;
}

void apply_penalties(float* z, const SamplingParams& params, const TokenHistory& history) {
  if (!params.has_penalties()) return;
  const Penalties penalties{params.repetition_penalty, params.frequency_penalty, params.presence_penalty};
  for (const int32_t id : history.distinct()) z[id] = penalise(z[id], penalties, history.output_count(id));
}

// The lowest index at which the sum of masses from the start exceeds `target`; there is one, since target is below the whole sum.
size_t find_crossing(const std::vector<uint64_t>& masses, uint64_t target, uint64_t& before) {
  size_t i = 0;
  for (before = 0; before + masses[i] <= target; ++i) before += masses[i];
  return i;
}

int32_t draw_kept(const SampleScratch& kept, uint32_t u24) {
  uint64_t total = 0, before = 0;
  for (const uint64_t mass : kept.masses) total += mass;
  return kept.ids[find_crossing(kept.masses, draw_target(u24, total), before)];
}

// The same over the whole vocabulary: first the block, then the token in it.
int32_t draw_any(const VectorKernels& kernels, const float* z, int64_t vocab, float best, uint32_t u24, SampleScratch& scratch) {
  scratch.masses.resize(static_cast<size_t>((vocab + kMassBlock - 1) / kMassBlock));
  const uint64_t target = draw_target(u24, kernels.sum_masses(z, vocab, best, scratch.masses.data()));
  uint64_t before = 0;
  const int64_t first = static_cast<int64_t>(find_crossing(scratch.masses, target, before)) * kMassBlock;
  const int64_t count = std::min(kMassBlock, vocab - first);
  scratch.weights.resize(static_cast<size_t>(count));
  kernels.exp(z + first, count, best, scratch.weights.data());
  to_masses(scratch);
  uint64_t inside = 0;
  return static_cast<int32_t>(first + static_cast<int64_t>(find_crossing(scratch.masses, target - before, inside)));
}

}  // namespace

int32_t greedy(const Compute& compute, const float* logits, int64_t vocab) {
  const RowMax best = compute.vector->max(logits, vocab);
  if (best.has_nan || !std::isfinite(best.value)) refuse_logits(best);
  return static_cast<int32_t>(compute.vector->find(logits, vocab, best.value));
}

int32_t sample(const Compute& compute, float* z, int64_t vocab, const SamplingParams& params, const TokenHistory& history,
               const uint32_t* allowed, SampleScratch& scratch) {
  const VectorKernels& kernels = *compute.vector;
  apply_masks_and_bias(z, vocab, params, history, allowed);
  apply_penalties(z, params, history);
  if (params.temperature < kGreedyBelow) return greedy(compute, z, vocab);

  const RowMax best = kernels.scale(z, vocab, 1.0f / params.temperature);
  if (best.has_nan || !std::isfinite(best.value)) refuse_logits(best);
  const uint32_t u24 = philox_bits(params.seed, params.request, static_cast<uint64_t>(history.output_tokens()));
  bool kept = false;
  if (params.top_k > 0 && params.top_k < vocab) {
    keep_top_k(kernels, z, vocab, best.value, params.top_k, scratch);
    kept = true;
  }
  if (params.top_p < 1.0f) {
    keep_top_p(kernels, z, vocab, best.value, params.top_p, kept, scratch);
    kept = true;
  }
  if (params.min_p > 0) {
    keep_min_p(kernels, z, vocab, best.value, params.min_p, kept, scratch);
    kept = true;
  }
  if (kept) return draw_kept(scratch, u24);
  return draw_any(kernels, z, vocab, best.value, u24, scratch);
}

}  // namespace eyrie
