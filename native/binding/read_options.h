#pragma once
#include <napi.h>

#include "engine/engine_options.h"

namespace eyrie {

/// NativeEngineOptions, member by member. Throws invalid_request for a member of the wrong type; ranges are checked by
/// check_engine_options().
EngineOptions read_options(const Napi::Value& value);

}  // namespace eyrie
