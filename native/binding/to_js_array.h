#pragma once
// Lists and large counts on their way to JavaScript.

#include <napi.h>

#include <cstdint>

namespace eyrie {

/// Exact up to 2^53.
inline Napi::Number to_js_number(Napi::Env env, uint64_t value) { return Napi::Number::New(env, static_cast<double>(value)); }

/// `to_js(item)` of every item.
template <class Items, class ToJs>
Napi::Array to_js_array(Napi::Env env, const Items& items, ToJs to_js) {
  const Napi::Array array = Napi::Array::New(env, items.size());
  for (uint32_t i = 0; i < items.size(); ++i) array.Set(i, to_js(items[i]));
  return array;
}

}  // namespace eyrie
