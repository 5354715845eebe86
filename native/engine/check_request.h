#pragma once
// The last check before a request enters the engine; after it, nothing in a request can index out of bounds.

#include "engine/backend.h"
#include "engine/engine_options.h"
#include "engine/request.h"

namespace eyrie {

/// Throws invalid_request naming the field, the value seen and what is allowed. `device`: that of the engine, with its pages and bounds.
void check_request(const Request& request, const EngineOptions& options, const BackendInfo& device = {});

}  // namespace eyrie
