#pragma once
// Strict readers of the members of a plain object. Each throws invalid_request naming the member and what it must be; none
// converts, and none accepts a missing member.

#include <napi.h>

#include <cstdint>
#include <string>
#include <vector>

namespace eyrie {

class FieldReader {
 public:
  /// `what` names the object in errors. Throws invalid_request when `value` is no object.
  FieldReader(const Napi::Value& value, const char* what);

  uint32_t whole(const char* name, uint32_t max = UINT32_MAX) const;
  int32_t whole_from(const char* name, int32_t min, int32_t max) const;
  /// Any number, NaN included: ranges are the engine's to check.
  float number(const char* name) const;
  bool boolean(const char* name) const;
  std::string string(const char* name) const;
  /// -2^63 to 2^64 - 1, modulo 2^64.
  uint64_t word(const char* name) const;
  std::vector<uint32_t> words32(const char* name) const;
  std::vector<float> floats(const char* name) const;
  std::string bytes(const char* name) const;
  std::vector<std::string> byte_strings(const char* name) const;
  bool is_null(const char* name) const;
  Napi::Value value(const char* name) const { return get(name); }

 private:
  Napi::Value get(const char* name) const;
  [[noreturn]] void refuse(const std::string& name, const std::string& wanted) const;
  std::string bytes_of(const Napi::Value& value, const std::string& name) const;

  Napi::Object object_;
  std::string what_;
};

}  // namespace eyrie
