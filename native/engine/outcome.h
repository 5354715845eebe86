#pragma once
// How a request ended: with a result, or with an error that concerns it alone.

#include <cstdint>
#include <optional>
#include <string>

#include "engine/request.h"
#include "error.h"

namespace eyrie {

struct Failure {
  ErrorCode code = ErrorCode::internal_error;
  std::string message;
};

struct Outcome {
  uint64_t id = 0;
  Result result;  ///< meaningless with a failure
  std::optional<Failure> failure;
};

/// The failure for the exception in flight; call it inside a catch block.
Failure current_failure();

}  // namespace eyrie
