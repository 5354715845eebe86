#include "gpu/json_line.h"

#include <cmath>
#include <cstdio>

namespace eyrie::gpu {

namespace {

template <class T, class ToText>
std::string json_array(const std::vector<T>& values, ToText&& to_text) {
  std::string text = "[";
  for (const T value : values) {
    if (text.size() > 1) text += ',';
    text += to_text(value);
  }
  return text + "]";
}

}  // namespace

std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  char text[40];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

void JsonLine::key(std::string_view name) {
  text_ += text_.empty() ? "{" : ",";
  text_ += json_quoted(name) + ":";
}

JsonLine& JsonLine::add_json(std::string_view name, std::string_view value) {
  key(name);
  text_ += value;
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, std::string_view value) { return add_json(name, json_quoted(value)); }
JsonLine& JsonLine::add(std::string_view name, bool value) { return add_json(name, value ? "true" : "false"); }
JsonLine& JsonLine::add(std::string_view name, double value) { return add_json(name, json_number(value)); }
JsonLine& JsonLine::add(std::string_view name, int64_t value) { return add_json(name, std::to_string(value)); }

JsonLine& JsonLine::add(std::string_view name, const std::vector<int32_t>& values) {
  return add_json(name, json_array(values, [](int32_t value) { return std::to_string(value); }));
}

JsonLine& JsonLine::add(std::string_view name, const std::vector<float>& values) {
  return add_json(name, json_array(values, [](float value) { return json_number(static_cast<double>(value)); }));
}

void JsonLine::write() const {
  std::printf("%s\n", text().c_str());
  std::fflush(stdout);
}

}  // namespace eyrie::gpu
