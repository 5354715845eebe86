#pragma once
#include <cstdint>

namespace eyrie {

/// Why a row of logits has no token, or no log-probabilities.
enum class DrawError : uint8_t {
  none,
  not_a_number,
  infinity,         ///< the largest logit is infinite, or log-probabilities are wanted and none is finite
  nothing_allowed,  ///< logit_bias, min_tokens and the grammar exclude all tokens
};

}  // namespace eyrie
