#include "cpu/sampler/kept_tokens.h"

#include <algorithm>
#include <cmath>

#include "sampling/masses.h"

namespace eyrie {

namespace {

// Distances from the best logit, in nats, at which to look for enough tokens: nearly always the first ones do, and beyond the last
// there is no mass.
constexpr float kDistances[] = {4.0f, 8.0f, 16.0f, kMassRange};

// Keeps those in scratch for which keep(i) holds.
template <class Keep>
void filter(SampleScratch& s, Keep keep) {
  size_t kept = 0;
  for (size_t i = 0; i < s.ids.size(); ++i) {
    if (!keep(i)) continue;
    s.ids[kept] = s.ids[i];
    s.logits[kept] = s.logits[i];
    s.masses[kept] = s.masses[i];
    kept++;
  }
  s.ids.resize(kept);
  s.logits.resize(kept);
  s.masses.resize(kept);
}

// Keeps the shortest run in descending order (equal logits: ascending id) whose measures reach `limit`, which is at least 1.
// Tokens are counted into bins by their distance from the best, and only the bin in which the limit falls is sorted.
template <class Measure>
void keep_run(SampleScratch& s, float best, uint64_t limit, Measure measure) {
  constexpr int kBins = 1024;
  constexpr float kBinsPerNat = 32.0f;
  const auto bin_of = [&](size_t i) {
    const float distance = (best - s.logits[i]) * kBinsPerNat;
    return distance < static_cast<float>(kBins - 1) ? static_cast<int>(distance) : kBins - 1;
  };
  uint64_t sums[kBins] = {};
  for (size_t i = 0; i < s.ids.size(); ++i) sums[bin_of(i)] += measure(i);
  int last = 0;
  uint64_t reached = 0;
  while (last < kBins - 1 && reached + sums[last] < limit) reached += sums[last++];
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
  while (kept < s.edge.size() && reached < limit) reached += measure(static_cast<size_t>(s.edge[kept++]));
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

uint64_t total_mass(const SampleScratch& s) {
  uint64_t total = 0;
  for (const uint64_t mass : s.masses) total += mass;
  return total;
}

}  // namespace

void to_masses(SampleScratch& s) {
  s.masses.resize(s.weights.size());
  for (size_t i = 0; i < s.weights.size(); ++i) s.masses[i] = mass_of(s.weights[i]);
}

void collect_tokens(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float distance, SampleScratch& s) {
  s.ids.resize(static_cast<size_t>(vocab));
  const size_t count = static_cast<size_t>(kernels.collect(z, vocab, best - distance, s.ids.data()));
  s.ids.resize(count);
  s.logits.resize(count);
  s.weights.resize(count);
  for (size_t i = 0; i < count; ++i) s.logits[i] = z[s.ids[i]];
  kernels.exp(s.logits.data(), static_cast<int64_t>(count), best, s.weights.data());
  to_masses(s);
}

void keep_top_k(const VectorKernels& kernels, const float* z, int64_t vocab, float best, int64_t k, SampleScratch& s) {
  for (const float distance : kDistances) {
    collect_tokens(kernels, z, vocab, best, distance, s);
    if (static_cast<int64_t>(s.ids.size()) >= k) break;
  }
  keep_run(s, best, static_cast<uint64_t>(k), [](size_t) { return uint64_t{1}; });
}

void keep_top_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& s) {
  const uint64_t limit = top_p_limit(p, among_kept ? total_mass(s) : kernels.sum_masses(z, vocab, best, nullptr));
  for (const float distance : kDistances) {
    if (among_kept) break;
    collect_tokens(kernels, z, vocab, best, distance, s);
    if (total_mass(s) >= limit) break;
  }
  keep_run(s, best, limit, [&](size_t i) { return s.masses[i]; });
}

void keep_min_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& s) {
  // A margin over -ln p, since what counts is the mass as it is computed.
  if (!among_kept) collect_tokens(kernels, z, vocab, best, std::min(-std::log(p) + 0.01f, kMassRange), s);
  const uint64_t least = mass_of(p);
  filter(s, [&](size_t i) { return s.masses[i] >= least; });
}

}  // namespace eyrie
