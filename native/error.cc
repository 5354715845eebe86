#include "error.h"

namespace eyrie {

const char* code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::model_invalid: return "model_invalid";
    case ErrorCode::model_unreadable: return "model_unreadable";
    case ErrorCode::unsupported_device: return "unsupported_device";
    case ErrorCode::invalid_request: return "invalid_request";
    case ErrorCode::out_of_memory: return "out_of_memory";
    case ErrorCode::numeric_error: return "numeric_error";
    case ErrorCode::disk_full: return "disk_full";
    case ErrorCode::engine_closed: return "engine_closed";
    case ErrorCode::internal_error: break;
  }
  return "internal_error";
}

}  // namespace eyrie
