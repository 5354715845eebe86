#pragma once
// The last check before a request enters the engine; after it, nothing in a request can index out of bounds.

#include "engine/engine_options.h"
#include "engine/kv_pages.h"
#include "engine/request.h"

namespace eyrie {

/// Throws invalid_request naming the field, the value seen and what is allowed. `budget`: the device's pages for keys and values.
void check_request(const Request& request, const EngineOptions& options, const KvBudget& budget = {});

}  // namespace eyrie
