#include "cuda/gemm/bit_classes.h"

#include <algorithm>

#include "error.h"

namespace eyrie::cuda {

namespace {

size_t rank_of(const std::vector<Candidate>& candidates, uint64_t bits, size_t none) {
  const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Candidate& one) { return one.bits == bits; });
  return found == candidates.end() ? none : static_cast<size_t>(found - candidates.begin());
}

int fastest_of(const std::vector<Candidate>& candidates, uint64_t bits) {
  int best = -1;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].bits != bits) continue;
    if (best < 0 || candidates[i].microseconds < candidates[static_cast<size_t>(best)].microseconds) best = static_cast<int>(i);
  }
  return best;
}

}  // namespace

ClassChoice choose_class(const std::vector<std::vector<Candidate>>& buckets) {
  if (buckets.empty() || buckets.back().empty()) throw Error(ErrorCode::internal_error, "no algorithm for the largest number of rows");
  size_t longest = 0;
  for (const auto& candidates : buckets) longest = std::max(longest, candidates.size());
  ClassChoice choice;
  size_t best = SIZE_MAX;
  for (const Candidate& one : buckets.back()) {
    size_t sum = 0;
    for (const auto& candidates : buckets) sum += rank_of(candidates, one.bits, longest);
    if (sum >= best) continue;
    best = sum;
    choice.bits = one.bits;
  }
  for (const auto& candidates : buckets) choice.fastest.push_back(fastest_of(candidates, choice.bits));
  return choice;
}

}  // namespace eyrie::cuda
