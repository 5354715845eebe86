#pragma once
// What happens to one row of logits: log-probabilities, the next token, its text, and whether the sequence is over.
// Rows of different purposes may be handled by different threads at once.

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/compute.h"
#include "engine/engine_options.h"
#include "engine/sequence.h"
#include "sampling/sample.h"

namespace eyrie {

/// Buffers of one thread, grown on first use.
struct TokenScratch {
  SampleScratch sample;
  std::vector<float> logits;
  std::vector<uint32_t> allowed;
};

/// Draws the next token from `logits` [vocab] (overwritten) and appends it to the sequence's result and `history`. Sets `ended`
/// and the finish reason after an end token, a complete stop string, a complete grammar or the last allowed token. Throws
/// numeric_error on NaN, invalid_request when no token is allowed or the grammar needs more effort than allowed.
void generate_token(Sequence& sequence, std::span<float> logits, TokenHistory& history, const EngineOptions& options,
                    const Compute& compute, TokenScratch& scratch);

/// Scores prompt token `position` + 1 with the logits of row `position`; nothing to do for the last row.
void score_prompt_token(Sequence& sequence, uint32_t position, std::span<const float> logits, const Compute& compute);

}  // namespace eyrie
