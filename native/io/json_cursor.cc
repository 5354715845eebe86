#include "io/json_cursor.h"

#include "error.h"
#include "io/bounds.h"

namespace eyrie {

namespace {

void append_utf8(std::string& out, uint32_t code_point) {
  if (code_point < 0x80) {
    out += static_cast<char>(code_point);
  } else if (code_point < 0x800) {
    out += static_cast<char>(0xc0 | (code_point >> 6));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    out += static_cast<char>(0xe0 | (code_point >> 12));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | (code_point >> 18));
    out += static_cast<char>(0x80 | ((code_point >> 12) & 0x3f));
    out += static_cast<char>(0x80 | ((code_point >> 6) & 0x3f));
    out += static_cast<char>(0x80 | (code_point & 0x3f));
  }
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

void JsonCursor::fail(const std::string& reason) const {
  throw Error(ErrorCode::model_invalid, file_ + ": " + reason + " (byte " + std::to_string(at_) + " of its JSON)");
}

void JsonCursor::skip_spaces() {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (c != ' ' && c != '\t' && c != '\n' && c != '\r') break;
    ++at_;
  }
}

char JsonCursor::peek() {
  skip_spaces();
  if (at_ >= text_.size()) fail("the JSON ends too early");
  return text_[at_];
}

char JsonCursor::next() {
  if (at_ >= text_.size()) fail("the JSON ends too early");
  return text_[at_++];
}

void JsonCursor::expect(char wanted) {
  if (peek() != wanted) fail(std::string("expected '") + wanted + "'");
  ++at_;
}

void JsonCursor::enter() {
  if (++depth_ > bounds::kJsonDepthMax) {
    fail("the JSON is nested deeper than " + std::to_string(bounds::kJsonDepthMax));
  }
}

void JsonCursor::object(const std::function<void(const std::string& key)>& on_member) {
  expect('{');
  enter();
  if (peek() == '}') {
    ++at_;
  } else {
    while (true) {
      const std::string key = string();
      expect(':');
      on_member(key);
      if (peek() == '}') {
        ++at_;
        break;
      }
      expect(',');
    }
  }
  --depth_;
}

void JsonCursor::array(const std::function<void()>& on_element) {
  expect('[');
  enter();
  if (peek() == ']') {
    ++at_;
  } else {
    while (true) {
      on_element();
      if (peek() == ']') {
        ++at_;
        break;
      }
      expect(',');
    }
  }
  --depth_;
}

std::string JsonCursor::string() {
  expect('"');
  std::string out;
  while (true) {
    const char c = next();
    if (c == '"') return out;
    if (static_cast<unsigned char>(c) < 0x20) fail("a control byte inside a JSON string");
    if (c == '\\') {
      append_escape(out);
    } else {
      out += c;
    }
  }
}

uint32_t JsonCursor::hex_quad() {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) {
    const char c = next();
    uint32_t digit = 0;
    if (is_digit(c)) {
      digit = static_cast<uint32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<uint32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<uint32_t>(c - 'A' + 10);
    } else {
      fail("a \\u escape needs four hexadecimal digits");
    }
    value = value * 16 + digit;
  }
  return value;
}

void JsonCursor::append_escape(std::string& out) {
  constexpr std::string_view kLetters = "\"\\/bfnrt";
  constexpr std::string_view kBytes = "\"\\/\b\f\n\r\t";
  const char c = next();
  if (const size_t i = kLetters.find(c); i != std::string_view::npos) {
    out += kBytes[i];
    return;
  }
  if (c != 'u') fail("an unknown escape in a JSON string");
  uint32_t code_point = hex_quad();
  if (code_point >= 0xd800 && code_point < 0xdc00) {
    if (next() != '\\' || next() != 'u') fail("half of a surrogate pair in a JSON string");
    const uint32_t low = hex_quad();
    if (low < 0xdc00 || low > 0xdfff) fail("half of a surrogate pair in a JSON string");
    code_point = 0x10000 + ((code_point - 0xd800) << 10) + (low - 0xdc00);
  } else if (code_point >= 0xdc00 && code_point <= 0xdfff) {
    fail("half of a surrogate pair in a JSON string");
  }
  append_utf8(out, code_point);
}

uint64_t JsonCursor::unsigned_integer() {
  if (!is_digit(peek())) fail("expected a whole number without sign");
  const bool leading_zero = text_[at_] == '0';
  const size_t start = at_;
  uint64_t value = 0;
  while (at_ < text_.size() && is_digit(text_[at_])) {
    if (__builtin_mul_overflow(value, uint64_t{10}, &value) ||
        __builtin_add_overflow(value, static_cast<uint64_t>(text_[at_] - '0'), &value)) {
      fail("a number does not fit 64 bits");
    }
    ++at_;
  }
  if (leading_zero && at_ - start > 1) fail("a number with a leading zero");
  if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == 'e' || text_[at_] == 'E')) {
    fail("expected a whole number");
  }
  return value;
}

void JsonCursor::skip_number() {
  if (text_[at_] == '-') ++at_;
  const size_t start = at_;
  while (at_ < text_.size() && (is_digit(text_[at_]) || std::string_view(".e_e+-").find(text_[at_]) != std::string_view::npos)) {
    ++at_;
  }
  if (at_ == start) fail("expected a JSON value");
}

void JsonCursor::skip_word(std::string_view word) {
  if (text_.substr(at_, word.size()) != word) fail("expected a JSON value");
  at_ += word.size();
}

void JsonCursor::skip() {
  switch (peek()) {
    case '{': return object([this](const std::string&) { skip(); });
    case '[': return array([this] { skip(); });
    case '"': static_cast<void>(string()); return;
    case 't': return skip_word("true");
    case 'f': return skip_word("false");
    case 'n': return skip_word("null");
    default: return skip_number();
  }
}

void JsonCursor::end() {
  skip_spaces();
  if (at_ != text_.size()) fail("bytes after the end of the JSON");
}

}  // namespace eyrie
