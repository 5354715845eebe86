#include "binding/read_fields.h"

#include <cmath>
#include <cstring>

#include "error.h"

namespace eyrie {

namespace {

Napi::Object to_object(const Napi::Value& value, const char* what) {
  if (!value.IsObject()) throw Error(ErrorCode::invalid_request, std::string(what) + " must be an object");
  return value.As<Napi::Object>();
}

/// The elements of a typed array, copied: JavaScript may change or detach the memory afterwards.
template <class T>
std::vector<T> copy_array(const Napi::Value& value) {
  const auto array = value.As<Napi::TypedArray>();
  const size_t count = array.ElementLength();
  std::vector<T> out(count);
  if (count > 0) {
    const auto* data = static_cast<const std::byte*>(array.ArrayBuffer().Data()) + array.ByteOffset();
    std::memcpy(out.data(), data, count * sizeof(T));
  }
  return out;
}

bool is_array_of(const Napi::Value& value, napi_typedarray_type type) {
  return value.IsTypedArray() && value.As<Napi::TypedArray>().TypedArrayType() == type;
}

}  // namespace

FieldReader::FieldReader(const Napi::Value& value, const char* what) : object_(to_object(value, what)), what_(what) {}

Napi::Value FieldReader::get(const char* name) const { return object_.Get(name); }

void FieldReader::refuse(const std::string& name, const std::string& wanted) const {
  throw Error(ErrorCode::invalid_request, what_ + "." + name + " must be " + wanted);
}

uint32_t FieldReader::whole(const char* name, uint32_t max) const {
  const Napi::Value value = get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
  if (!(number >= 0 && number <= max && number == std::floor(number))) {
    refuse(name, "a whole number from 0 to " + std::to_string(max));
  }
  return static_cast<uint32_t>(number);
}

int32_t FieldReader::whole_from(const char* name, int32_t min, int32_t max) const {
  const Napi::Value value = get(name);
  const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : std::nan("");
  if (!(number >= min && number <= max && number == std::floor(number))) {
    refuse(name, "a whole number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return static_cast<int32_t>(number);
}

float FieldReader::number(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsNumber()) refuse(name, "a number");
  return value.As<Napi::Number>().FloatValue();
}

bool FieldReader::boolean(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBoolean()) refuse(name, "true or false");
  return value.As<Napi::Boolean>().Value();
}

std::string FieldReader::string(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsString()) refuse(name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

uint64_t FieldReader::word(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsBigInt()) refuse(name, "a bigint");
  const auto bigint = value.As<Napi::BigInt>();
  bool lossless = false;
  const uint64_t as_unsigned = bigint.Uint64Value(&lossless);
  if (lossless) return as_unsigned;
  const int64_t as_signed = bigint.Int64Value(&lossless);
  if (!lossless) refuse(name, "a bigint from -2^63 to 2^64 - 1");
  return static_cast<uint64_t>(as_signed);
}

std::vector<uint32_t> FieldReader::words32(const char* name) const {
  const Napi::Value value = get(name);
  if (!is_array_of(value, napi_uint32_array)) refuse(name, "a Uint32Array");
  return copy_array<uint32_t>(value);
}

std::vector<float> FieldReader::floats(const char* name) const {
  const Napi::Value value = get(name);
  if (!is_array_of(value, napi_float32_array)) refuse(name, "a Float32Array");
  return copy_array<float>(value);
}

std::string FieldReader::bytes_of(const Napi::Value& value, const std::string& name) const {
  if (!is_array_of(value, napi_uint8_array)) refuse(name, "a Uint8Array");
  const std::vector<char> bytes = copy_array<char>(value);
  return {bytes.begin(), bytes.end()};
}

std::string FieldReader::bytes(const char* name) const { return bytes_of(get(name), name); }

std::vector<std::string> FieldReader::byte_strings(const char* name) const {
  const Napi::Value value = get(name);
  if (!value.IsArray()) refuse(name, "an array of Uint8Arrays");
  const auto array = value.As<Napi::Array>();
  std::vector<std::string> out;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    out.push_back(bytes_of(array.Get(i), std::string(name) + "[" + std::to_string(i) + "]"));
  }
  return out;
}

bool FieldReader::is_null(const char* name) const { return get(name).IsNull(); }

}  // namespace eyrie
