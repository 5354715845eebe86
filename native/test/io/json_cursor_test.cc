#include "io/json_cursor.h"

#include <gtest/gtest.h>

#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

std::string read_string(std::string_view text) {
  JsonCursor json(text, "f.json");
  std::string out = json.string();
  json.end();
  return out;
}

void expect_skippable(std::string_view text) {
  JsonCursor json(text, "f.json");
  json.skip();
  json.end();
}

TEST(JsonCursor, ReadsStringsWithEveryEscape) {
  EXPECT_EQ(read_string(R"("a\"\\\/\b\f\n\r\tz")"), "a\"\\/\b\f\n\r\tz");
  EXPECT_EQ(read_string(R"("\u0041\u00e9\u20AC\ud83d\ude00")"), "A\u00e9\u20ac\U0001F600");
}

TEST(JsonCursor, RefusesBrokenStrings) {
  for (const std::string_view text :
       {R"("\ud83d")", R"("\ude00")", R"("\ud83d\u0041")", R"("\x")", R"("\u12g4")", "\"a\nb\"", "\"a", "'a'", "\"\\"}) {
    expect_error(ErrorCode::model_invalid, "f.json", [&] { read_string(text); });
  }
}

TEST(JsonCursor, ReadsWholeNumbersOnly) {
  const auto read = [](std::string_view text) {
    JsonCursor json(text, "f.json");
    const uint64_t value = json.unsigned_integer();
    json.end();
    return value;
  };
  EXPECT_EQ(read("0"), 0u);
  EXPECT_EQ(read(" 18446744073709551615 "), UINT64_MAX);
  for (const std::string_view text : {"18446744073709551616", "-1", "1.0", "1e3", "01", "", "x", "1 2", "+1"}) {
    expect_error(ErrorCode::model_invalid, "f.json", [&] { read(text); });
  }
}

TEST(JsonCursor, SkipsValuesOfAnyFormUpToADepth) {
  expect_skippable(R"({"a":[1,-2.5e+7,true,false,null,{"b":"c"}],"d":{}})");
  for (const std::string_view text : {"[1,]", "{\"a\"}", "{,}", "[", "tru", "nul", "{\"a\":1,}", "[1 2]", "]", ""}) {
    expect_error(ErrorCode::model_invalid, "f.json", [&] { expect_skippable(text); });
  }
  expect_skippable(std::string(32, '[') + std::string(32, ']'));
  expect_error(ErrorCode::model_invalid, "nested", [] { expect_skippable(std::string(33, '[')); });
}

}  // namespace
}  // namespace eyrie::test
