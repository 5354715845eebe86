#include "sampling/sample.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "sampling/kept_tokens.h"
#include "sampling/philox.h"

namespace eyrie {

namespace {

constexpr float kNever = -INFINITY;
constexpr float kGreedyBelow = 1e-5f;
constexpr int64_t kCdfBlock = 1024;

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
    for (int32_t id : params.stop_ids) z[id] = kNever;
}

void apply_penalties(float* z, const SamplingParams& params, const TokenHistory& history) {
  const float r = params.repetition_penalty, f = params.frequency_penalty, p = params.presence_penalty;
  if (r == 1.0f && f == 0.0f && p == 0.0f) return;
  for (int32_t id : history.distinct()) {
    const int32_t count = history.output_count(id);
    float v = z[id];
    if (r != 1.0f) v = v < 0 ? v * r : v / r;
    v = v - f * static_cast<float>(count);
    if (count > 0) v = v - p;
    z[id] = v;
  }
}

// The smallest id whose cumulative weight exceeds u times the total; rounding past the end takes the last kept id.
int32_t draw_kept(const SampleScratch& kept, float u) {
  double total = 0, reached = 0;
  for (float w : kept.weights) total += w;
  const double target = static_cast<double>(u) * total;
  size_t last = 0;
  for (size_t i = 0; i < kept.ids.size(); ++i) {
    if (kept.weights[i] == 0) continue;
    last = i;
    reached += kept.weights[i];
    if (reached > target) break;
  }
  return kept.ids[last];
}

// The same over the whole vocabulary, by blocks.
int32_t draw_any(const VectorKernels& kernels, const float* weights, int64_t vocab, float u) {
  double total = 0;
  for (int64_t i = 0; i < vocab; i += kCdfBlock) total += kernels.sum(weights + i, std::min(kCdfBlock, vocab - i));
  const double target = static_cast<double>(u) * total;
  double reached = 0;
  int64_t last = 0;
  for (int64_t i = 0; i < vocab; i += kCdfBlock) {
    const int64_t count = std::min(kCdfBlock, vocab - i);
    const double sum = kernels.sum(weights + i, count);
    if (reached + sum > target) {
      double inside = reached;
      for (int64_t id = i; id < i + count; ++id) {
        if (weights[id] == 0) continue;
        last = id;
        inside += weights[id];
        if (inside > target) break;
      }
      return static_cast<int32_t>(last);
    }
    reached += sum;
  }
  for (int64_t id = 0; id < vocab; ++id)
    if (weights[id] != 0) last = id;
  return static_cast<int32_t>(last);
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

  kernels.scale(z, vocab, 1.0f / params.temperature);
  const RowMax best = kernels.max(z, vocab);
  if (best.has_nan || !std::isfinite(best.value)) refuse_logits(best);
  const float u = philox_uniform(params.seed, params.request, static_cast<uint64_t>(history.output_tokens()));
  bool kept = false;
  if (params.top_k > 0 && params.top_k < vocab) {
    keep_top_k(kernels, z, vocab, best.value, params.top_k, scratch);
    kept = true;
  }
  if (params.top_p < 1.0f) {
    keep_top_p(kernels, z, vocab, best.value, static_cast<double>(params.top_p), kept, scratch);
    kept = true;
  }
  if (params.min_p > 0) {
    keep_min_p(kernels, z, vocab, best.value, params.min_p, kept, scratch);
    kept = true;
  }
  if (kept) return draw_kept(scratch, u);
  scratch.weights.resize(static_cast<size_t>(vocab));
  kernels.exp(z, vocab, best.value, scratch.weights.data());
  return draw_any(kernels, scratch.weights.data(), vocab, u);
}

void TokenHistory::see(int32_t id) {
  if (entries_[id].seen) return;
  entries_[id].seen = true;
  distinct_.push_back(id);
}

void TokenHistory::add_prompt(int32_t id) { see(id); }

void TokenHistory::add_output(int32_t id) {
  see(id);
  entries_[id].output++;
  output_tokens_++;
}

void TokenHistory::clear() {
  for (int32_t id : distinct_) entries_[id] = {};
  distinct_.clear();
  output_tokens_ = 0;
}

}  // namespace eyrie
