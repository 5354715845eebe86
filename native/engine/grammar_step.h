#pragma once
// A sequence's grammar at each of its tokens.
//
// The grammar has the last word on the end: while it has more to say, the end token is not allowed, and when it has nothing more to
// say the sequence is over, whatever min_tokens and ignore_eos ask for. Where the text is complete but may go on, min_tokens and
// ignore_eos decide as they do without a grammar.

#include <cstdint>
#include <vector>

#include "engine/engine_options.h"
#include "engine/sequence.h"

namespace eyrie {

/// The tokens that may come next, as sample() takes them, in `words`; null for a sequence without a grammar. Throws invalid_request when the
/// grammar needs more effort than allowed.
const uint32_t* allowed_tokens(Sequence& sequence, const EngineOptions& options, std::vector<uint32_t>& words);

}  // namespace eyrie
