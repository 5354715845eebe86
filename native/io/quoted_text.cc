#include "io/quoted_text.h"

namespace eyrie {

std::string quoted_text(std::string_view text) {
  constexpr size_t kShownBytesMax = 80;
  constexpr char kHex[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text.substr(0, kShownBytesMax)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\') {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out + (text.size() > kShownBytesMax ? "...\"" : "\"");
}

}  // namespace eyrie
