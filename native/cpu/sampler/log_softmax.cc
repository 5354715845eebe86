#include "cpu/sampler/log_softmax.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "sampling/masses.h"

namespace eyrie {

TopLogprobs top_logprobs(const Compute& compute, const float* logits, int64_t vocab, int top) {
  if (top < 0 || top > kTopLogprobsMax)
    throw Error(ErrorCode::invalid_request,
                "top_logprobs is " + std::to_string(top) + "; allowed are 0 to " + std::to_string(kTopLogprobsMax));
  const RowMax best = compute.vector->max(logits, vocab);
  if (best.has_nan || !std::isfinite(best.value))
    throw Error(ErrorCode::numeric_error, "the logits hold a NaN or no finite number; the sequence cannot continue");
  TopLogprobs result{};
  result.logsumexp = log_sum_of(best.value, compute.vector->sum_masses(logits, vocab, best.value, nullptr));
  // A sorted list of at most 20: after the first few nearly every piece of the row ends at its first comparison.
  constexpr int64_t kPiece = 256;
  int count = 0;
  for (int64_t first = 0; top > 0 && first < vocab; first += kPiece) {
    const int64_t end = std::min(first + kPiece, vocab);
    if (count == top && !(compute.vector->max(logits + first, end - first).value > result.logprobs[count - 1])) continue;
    for (int64_t id = first; id < end; ++id) {
      const float z = logits[id];
      if (z == -INFINITY || (count == top && !(z > result.logprobs[count - 1]))) continue;
      int at = count < top ? count++ : top - 1;
      for (; at > 0 && z > result.logprobs[at - 1]; at--) {
        result.ids[at] = result.ids[at - 1];
        result.logprobs[at] = result.logprobs[at - 1];
      }
      result.ids[at] = static_cast<int32_t>(id);
      result.logprobs[at] = z;
    }
  }
  for (int i = 0; i < count; ++i) result.logprobs[i] -= result.logsumexp;
  result.count = count;
  return result;
}

}  // namespace eyrie
