#pragma once
// Names from hostile files, made safe for error messages.

#include <string>
#include <string_view>

namespace eyrie {

/// `"text"` with control, quote and non-ASCII bytes as \x_nn, cut after 80 bytes.
std::string quoted_text(std::string_view text);

}  // namespace eyrie
