#pragma once
// Finds stop strings in decoded bytes, across token borders.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

/// Appends `bytes` to `text` one by one until one of `stops` is complete: the first to be complete wins, the longest of them on a
/// tie, so that the outcome depends on the bytes alone and not on how they were cut into tokens. A match must end inside `bytes`
/// and may have begun in `text`. Returns where the match begins; `text` is then cut there. Empty stop strings match nothing.
std::optional<size_t> append_until_stop(std::string& text, std::string_view bytes, std::span<const std::string> stops);

}  // namespace eyrie
