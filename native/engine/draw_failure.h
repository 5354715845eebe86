#pragma once
// What a sequence whose row has no token or score is told, on every device.

#include "engine/backend.h"
#include "engine/outcome.h"

namespace eyrie {

/// `error` is not DrawError::none.
Failure draw_failure(DrawError error);

}  // namespace eyrie
