#include "sampling/kept_tokens.h"

#include <algorithm>
#include <cmath>

namespace eyrie {

namespace {

// Distances from the best logit, in nats, at which to look for enough tokens: nearly always the first ones do.
constexpr float kDistances[] = {4.0f, 8.0f, 16.0f, 32.0f, INFINITY};

// Keeps those in scratch for which keep(i) holds.
template <class Keep>
void filter(SampleScratch& s, Keep keep) {
  size_t kept = 0;
  for (size_t i = 0; i < s.ids.size(); ++i) {
    if (!keep(i)) continue;
    s.ids[kept] = s.ids[i];
    s.logits[kept] = s.logits[i];
    s.weights[kept] = s.weights[i];
    kept++;
  }
  s.ids.resize(kept);
  s.logits.resize(kept);
  s.weights.resize(kept);
}

// Keeps the shortest run in descending order (equal logits: ascending id) whose mass reaches `limit`, one token at least.
// Tokens are counted into bins by their distance from the best, and only the bin in which the limit falls is sorted.
template <class Mass>
void keep_run(SampleScratch& s, float best, double limit, Mass mass) {
  constexpr int kBins = 1024;
  constexpr float kBinsPerNat = 32.0f;
  const auto bin_of = [&](size_t i) {
    const float distance = (best - s.logits[i]) * kBinsPerNat;
    return distance < static_cast<float>(kBins - 1) ? static_cast<int>(distance) : kBins - 1;
  };
  double masses[kBins] = {};
  for (size_t i = 0; i < s.ids.size(); ++i) masses[bin_of(i)] += mass(i);
  int last = 0;
  double reached = 0;
  while (last < kBins - 1 && reached + masses[last] < limit) reached += masses[last++];
  s.edge.clear();
  for (size_t i = 0; i < s.ids.size(); ++i)
    if (bin_of(i) == last) s.edge.push_back(static_cast<int32_t>(i));
  std::sort(s.edge.begin(), s.edge.end(), [&](int32_t a, int32_t b) {
    return s.logits[static_cast<size_t>(a)] != s.logits[static_cast<size_t>(b)]
               ? s.logits[static_cast<size_t>(a)] > s.logits[static_cast<size_t>(b)]
               : a < b;
  });
  // The first of the sorted ones that is not needed any more; order is by (logit, position) from there on.
  size_t kept = 0;
  while (kept < s.edge.size() && (reached < limit || (kept == 0 && last == 0))) reached += mass(static_cast<size_t>(s.edge[kept++]));
  s.edge.resize(kept);
  std::sort(s.edge.begin(), s.edge.end());
  size_t next = 0;
  filter(s, [&](size_t i) {
    const int bin = bin_of(i);
    if (bin != last) return bin < last;
    if (next < s.edge.size() && static_cast<size_t>(s.edge[next]) == i) return ++next, true;
    return false;
  });
}

double total_weight(const SampleScratch& s) {
  double total = 0;
  for (float w : s.weights) total += w;
  return total;
}

}  // namespace

void collect_tokens(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float distance, SampleScratch& s) {
  s.ids.resize(static_cast<size_t>(vocab));
  // Down to -infinity would include the tokens that are not allowed.
  const float threshold = std::isinf(distance) ? -3.4e38f : best - distance;
  const size_t count = static_cast<size_t>(kernels.collect(z, vocab, threshold, s.ids.data()));
  s.ids.resize(count);
  s.logits.resize(count);
  s.weights.resize(count);
  for (size_t i = 0; i < count; ++i) s.logits[i] = z[s.ids[i]];
  kernels.exp(s.logits.data(), static_cast<int64_t>(count), best, s.weights.data());
}

void keep_top_k(const VectorKernels& kernels, const float* z, int64_t vocab, float best, int64_t k, SampleScratch& s) {
  for (float distance : kDistances) {
    collect_tokens(kernels, z, vocab, best, distance, s);
    if (static_cast<int64_t>(s.ids.size()) >= k) break;
  }
  keep_run(s, best, static_cast<double>(k), [](size_t) { return 1.0; });
}

void keep_top_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, double p, bool among_kept, SampleScratch& s) {
  const double limit = p * (among_kept ? total_weight(s) : kernels.sum_exp(z, vocab, best));
  for (float distance : kDistances) {
    if (among_kept) break;
    collect_tokens(kernels, z, vocab, best, distance, s);
    if (total_weight(s) >= limit) break;
  }
  keep_run(s, best, limit, [&](size_t i) { return static_cast<double>(s.weights[i]); });
}

void keep_min_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& s) {
  // A margin over -log p, since what counts is the weight as it is computed.
  if (!among_kept) collect_tokens(kernels, z, vocab, best, -std::log(p) + 0.01f, s);
  filter(s, [&](size_t i) { return s.weights[i] >= p; });
}

}  // namespace eyrie
