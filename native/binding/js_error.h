#pragma once
// Native failures as JavaScript errors with a `code`.

#include <napi.h>

#include "engine/outcome.h"

namespace eyrie {

/// `new Error(message)` with `code`.
Napi::Value to_js_error(Napi::Env env, const Failure& failure);

/// The JavaScript error for the exception in flight; call it inside a catch block. A JavaScript exception passes through as it is.
Napi::Value current_js_error(Napi::Env env);

/// A promise that the exception in flight has rejected; call it inside a catch block.
Napi::Promise rejected_promise(Napi::Env env);

}  // namespace eyrie
