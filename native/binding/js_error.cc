#include "binding/js_error.h"

namespace eyrie {

Napi::Value to_js_error(Napi::Env env, const Failure& failure) {
  const Napi::Error error = Napi::Error::New(env, failure.message);
  error.Value().Set("code", code_name(failure.code));
  return error.Value();
}

Napi::Value current_js_error(Napi::Env env) {
  try {
    throw;
  } catch (const Napi::Error& error) {
    return error.Value();
  } catch (...) {
    return to_js_error(env, current_failure());
  }
}

Napi::Promise rejected_promise(Napi::Env env) {
  const Napi::Promise::Deferred deferred = Napi::Promise::Deferred::New(env);
  deferred.Reject(current_js_error(env));
  return deferred.Promise();
}

}  // namespace eyrie
