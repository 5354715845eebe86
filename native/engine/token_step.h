#pragma once
// The host's half of a token: what a device has drawn or scored becomes part of a sequence's result, its text grows, and it shows
// whether the sequence is over. Sequences do not depend on each other: different threads may handle different ones at once.

#include <cstdint>

#include "engine/backend.h"
#include "engine/engine_options.h"
#include "engine/sequence.h"

namespace eyrie {

/// Appends the drawn token with its log-probabilities and its text. Sets `ended` and the finish reason after an end token, a
/// complete stop string, a complete grammar or the last allowed token; `failure` where the row has no token.
void take_token(Sequence& sequence, const HeadResult& result, const EngineOptions& options);

/// Notes the log-probabilities of prompt token `position` + 1, which the row of `position` has scored; `failure` where it has none.
void take_score(Sequence& sequence, uint32_t position, const HeadResult& result);

}  // namespace eyrie
