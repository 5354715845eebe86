#pragma once
// The one error type of the native side. The binding turns it into a JavaScript error with the same code.

#include <stdexcept>
#include <string>

namespace eyrie {

enum class ErrorCode {
  model_invalid,       ///< the files are readable, their content is not an acceptable model
  model_unreadable,    ///< a file is missing, truncated or cannot be read
  unsupported_device,  ///< this CPU or build lacks what was asked for
  invalid_request,     ///< an argument is outside its documented range
  out_of_memory,       ///< an allocation was refused
  numeric_error,       ///< NaN where a number is needed; ends one sequence, not the engine
  disk_full,           ///< no space left for what is written
  engine_closed,       ///< the engine was disposed of
  internal_error,      ///< a bug of ours
};

/// The code as it appears in messages, logs and JavaScript, e.g. "model_invalid".
const char* code_name(ErrorCode code) noexcept;

/// `what()` says which value was seen, what is allowed and, where there is one, the next step.
/// Visible to libraries that are opened at run time, which throw it to us (cuda/open_cuda.h).
class [[gnu::visibility("default")]] Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace eyrie
