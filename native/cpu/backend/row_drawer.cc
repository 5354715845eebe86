#include "cpu/backend/row_drawer.h"

#include <algorithm>
#include <cmath>

#include "cpu/vector/vector_kernels.h"
#include "error.h"

namespace eyrie {

namespace {

bool holds_nan(const Compute& compute, std::span<const float> logits) {
  return compute.vector->max(logits.data(), static_cast<int64_t>(logits.size())).has_nan;
}

void tell(const TopLogprobs& best, float logit, HeadResult& result) {
  const auto count = static_cast<size_t>(best.count);
  result.logprob = logit - best.logsumexp;
  result.top_ids = {best.ids, count};
  result.top_logprobs = {best.logprobs, count};
}

/// The sampler tells by an exception that a row has no token.
DrawError error_of(const Error& error, const Compute& compute, std::span<const float> logits) {
  if (error.code() == ErrorCode::invalid_request) return DrawError::nothing_allowed;
  return holds_nan(compute, logits) ? DrawError::not_a_number : DrawError::infinity;
}

}  // namespace

HeadResult RowDrawer::draw(const Compute& compute, const HeadRow& row, std::span<float> logits, SlotDraws& slot, TopLogprobs& best) {
  HeadResult result;
  try {
    if (row.draws) {
      draw_token(compute, row, logits, slot, best, result);
    } else {
      best = top_logprobs(compute, logits.data(), static_cast<int64_t>(logits.size()), row.top);
      tell(best, logits[static_cast<size_t>(row.scored)], result);
    }
  } catch (const Error& error) {
    result = {};
    result.error = error_of(error, compute, logits);
  }
  return result;
}

void RowDrawer::draw_token(const Compute& compute, const HeadRow& row, std::span<float> logits, SlotDraws& slot, TopLogprobs& best,
                           HeadResult& result) {
  // A mask would hide a NaN that it covers; the sequence must end the same way with it and without.
  if (row.allowed != nullptr && holds_nan(compute, logits)) {
    result.error = DrawError::not_a_number;
    return;
  }
  std::span<float> own = logits;
  if (row.top >= 0) {
    // Log-probabilities are those of the raw logits, which sampling overwrites.
    best = top_logprobs(compute, logits.data(), static_cast<int64_t>(logits.size()), row.top);
    logits_.assign(logits.begin(), logits.end());
    own = logits_;
  }
  result.token = sample(compute, own.data(), static_cast<int64_t>(own.size()), slot.sampling, *slot.history, row.allowed, scratch_);
  if (row.top >= 0) tell(best, logits[static_cast<size_t>(result.token)], result);
  slot.drawn = result.token;
  slot.history->add_output(result.token);
}

}  // namespace eyrie
