#include "engine/draw_failure.h"

namespace eyrie {

Failure draw_failure(DrawError error) {
  switch (error) {
    case DrawError::not_a_number: return {ErrorCode::numeric_error, "the logits hold a NaN; the sequence cannot continue"};
    case DrawError::infinity: return {ErrorCode::numeric_error, "the logits hold an infinity; the sequence cannot continue"};
    case DrawError::nothing_allowed:
      return {ErrorCode::invalid_request, "no token is allowed: logit_bias, min_tokens and the grammar exclude them all"};
    case DrawError::none: break;
  }
  return {ErrorCode::internal_error, "a row failed without an error"};
}

}  // namespace eyrie
