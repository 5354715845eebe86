#pragma once
// A strict pull parser for the JSON in checkpoint files: the caller says what must come next, and anything else is an error.
// Recursion is bounded, nothing is built that the caller did not ask for, and duplicate keys are the caller's to refuse.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace eyrie {

class JsonCursor {
 public:
  /// `text` must outlive the cursor. `file` names it in errors, which are model_invalid.
  JsonCursor(std::string_view text, std::string file) : text_(text), file_(std::move(file)) {}

  /// `on_member(key)` must consume exactly the value.
  void object(const std::function<void(const std::string& key)>& on_member);
  /// `on_element()` must consume exactly one value.
  void array(const std::function<void()>& on_element);
  std::string string();
  /// A JSON number without sign, fraction or exponent that fits 64 bits.
  uint64_t unsigned_integer();
  /// Any value, checked for form only.
  void skip();
  /// Nothing but spaces may follow.
  void end();

  [[noreturn]] void fail(const std::string& reason) const;

 private:
  char next();
  char peek();
  void expect(char wanted);
  void skip_spaces();
  void skip_number();
  void skip_word(std::string_view word);
  void append_escape(std::string& out);
  uint32_t hex_quad();
  void enter();

  std::string_view text_;
  std::string file_;
  size_t at_ = 0;
  size_t depth_ = 0;
};

}  // namespace eyrie
