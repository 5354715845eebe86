#pragma once
// What the program says: one JSON object per line on standard output, each with an `item` that names its kind.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie::gpu {

class JsonLine {
 public:
  explicit JsonLine(std::string_view item) { add("item", item); }

  JsonLine& add(std::string_view name, std::string_view value);
  JsonLine& add(std::string_view name, const char* value) { return add(name, std::string_view(value)); }
  JsonLine& add(std::string_view name, bool value);
  /// Nine digits: a float survives. NaN and infinities become null.
  JsonLine& add(std::string_view name, double value);
  JsonLine& add(std::string_view name, int64_t value);
  JsonLine& add(std::string_view name, int value) { return add(name, int64_t{value}); }
  JsonLine& add(std::string_view name, uint32_t value) { return add(name, int64_t{value}); }
  JsonLine& add(std::string_view name, uint64_t value) { return add(name, static_cast<int64_t>(value)); }
  JsonLine& add(std::string_view name, const std::vector<int32_t>& values);
  JsonLine& add(std::string_view name, const std::vector<float>& values);
  /// `value` is JSON already.
  JsonLine& add_json(std::string_view name, std::string_view value);

  std::string text() const { return text_ + "}"; }
  /// Writes and flushes: a program that is killed by a time limit has said what it found.
  void write() const;

 private:
  void key(std::string_view name);
  std::string text_;
};

/// With quotes; control characters escaped.
std::string json_quoted(std::string_view text);
std::string json_number(double value);

}  // namespace eyrie::gpu
