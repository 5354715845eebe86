#include "ops/sample.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"
#include "ops/philox.h"
#include "ops/vector_kernels.h"

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

void apply_masks_and_bias(float* z, int64_t vocab, const SamplingParams& params, const TokenHistory& history,
                          const uint32_t* allowed) {
  for (int64_t id = 0; allowed != nullptr && id < vocab; id++)
    if ((allowed[id / 32] >> (id % 32) & 1u) == 0) z[id] = kNever;
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

// Keeps the shortest run in descending order (equal logits: ascending id) whose mass reaches `limit`; the others become
// kNever. mass(id) >= 0. Instead of sorting the vocabulary, entries are counted into bins by their distance from the
// best one, and only the bin in which the limit falls is sorted.
template <class Mass>
void keep_best(float* z, int64_t vocab, float best, double limit, std::vector<int32_t>& ids, Mass mass) {
  constexpr int kBins = 1024;
  constexpr float kBinsPerNat = 32.0f;
  const auto bin_of = [best](float v) {
    const float distance = (best - v) * kBinsPerNat;
    return distance < static_cast<float>(kBins - 1) ? static_cast<int>(distance) : kBins - 1;
  };
  double masses[kBins] = {};
  for (int64_t id = 0; id < vocab; id++)
    if (z[id] != kNever) masses[bin_of(z[id])] += mass(id);
  int last = 0;
  double reached = 0;
  while (last < kBins - 1 && reached + masses[last] < limit) reached += masses[last++];
  ids.clear();
  for (int64_t id = 0; id < vocab; id++) {
    if (z[id] == kNever) continue;
    const int bin = bin_of(z[id]);
    if (bin == last) ids.push_back(static_cast<int32_t>(id));
    if (bin > last) z[id] = kNever;
  }
  std::sort(ids.begin(), ids.end(), [z](int32_t a, int32_t b) { return z[a] != z[b] ? z[a] > z[b] : a < b; });
  for (int32_t id : ids) {
    if (reached >= limit) z[id] = kNever;
    else reached += mass(id);
  }
}

// The smallest id whose cumulative weight exceeds u times the total; rounding past the end takes the last kept id.
int32_t draw(const VectorKernels& kernels, const float* weights, int64_t vocab, float u) {
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
      for (int64_t id = i; id < i + count; id++) {
        if (weights[id] == 0) continue;
        last = id;
        inside += weights[id];
        if (inside > target) break;
      }
      return static_cast<int32_t>(last);
    }
    reached += sum;
  }
  for (int64_t id = 0; id < vocab; id++)
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
  if (params.top_k > 0 && params.top_k < vocab)
    keep_best(z, vocab, best.value, params.top_k, scratch.ids, [](int64_t) { return 1.0; });
  scratch.weights.resize(static_cast<size_t>(vocab));
  float* weights = scratch.weights.data();
  kernels.exp(z, vocab, best.value, weights);
  if (params.top_p < 1.0f) {
    double total = 0;
    for (int64_t i = 0; i < vocab; i += kCdfBlock) total += kernels.sum(weights + i, std::min(kCdfBlock, vocab - i));
    keep_best(z, vocab, best.value, static_cast<double>(params.top_p) * total, scratch.ids,
              [weights](int64_t id) { return static_cast<double>(weights[id]); });
    for (int64_t id = 0; id < vocab; id++)
      if (z[id] == kNever) weights[id] = 0;
  }
  if (params.min_p > 0)  // the best token's weight is 1
    for (int64_t id = 0; id < vocab; id++)
      if (weights[id] < params.min_p) weights[id] = 0;
  const float u = philox_uniform(params.seed, params.request, static_cast<uint64_t>(history.output_tokens()));
  return draw(kernels, weights, vocab, u);
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
