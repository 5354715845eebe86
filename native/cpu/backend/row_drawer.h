#pragma once
// What one row of logits comes to on the CPU: log-probabilities, and the slot's next token.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/compute.h"
#include "cpu/sampler/log_softmax.h"
#include "cpu/sampler/sample.h"
#include "engine/backend.h"

namespace eyrie {

/// How a slot's tokens are drawn, and what it has drawn.
struct SlotDraws {
  SamplingParams sampling;
  std::unique_ptr<TokenHistory> history;  // made on first use
  int32_t drawn = kDrawn;                 // the latest
};

/// Buffers of one thread, grown on first use.
class RowDrawer {
 public:
  /// `logits` [vocab] are overwritten; a row that draws advances `slot`. The result points into `best`. Throws nothing but bad_alloc:
  /// what is wrong with the logits is in the result.
  HeadResult draw(const Compute& compute, const HeadRow& row, std::span<float> logits, SlotDraws& slot, TopLogprobs& best);

 private:
  void draw_token(const Compute& compute, const HeadRow& row, std::span<float> logits, SlotDraws& slot, TopLogprobs& best,
                  HeadResult& result);

  SampleScratch scratch_;
  std::vector<float> logits_;
};

}  // namespace eyrie
