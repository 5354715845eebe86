#include "engine/stop_matcher.h"

namespace eyrie {

std::optional<size_t> append_until_stop(std::string& text, std::string_view bytes, std::span<const std::string> stops) {
  if (stops.empty()) {
    text += bytes;
    return std::nullopt;
  }
  for (const char byte : bytes) {
    text += byte;
    size_t longest = 0;
    for (const std::string& stop : stops) {
      if (!stop.empty() && stop.back() == byte && stop.size() > longest && text.ends_with(stop)) longest = stop.size();
    }
    if (longest > 0) {
      text.resize(text.size() - longest);
      return text.size();
    }
  }
  return std::nullopt;
}

}  // namespace eyrie
