#pragma once
#include <napi.h>

#include "engine/request.h"

namespace eyrie {

/// NativeRequest, member by member. Throws invalid_request for a member of the wrong type; ranges are checked by check_request().
Request read_request(const Napi::Value& value);

}  // namespace eyrie
