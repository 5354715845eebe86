#include "engine/outcome.h"

#include <exception>
#include <new>

namespace eyrie {

Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return {ErrorCode::out_of_memory, "out of memory; use fewer slots, shorter slots or a smaller dtype"};
  } catch (const std::exception& error) {
    return {ErrorCode::internal_error, error.what()};
  } catch (...) {
    return {ErrorCode::internal_error, "an unknown exception"};
  }
}

}  // namespace eyrie
