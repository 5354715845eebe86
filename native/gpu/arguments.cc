#include "gpu/arguments.h"

#include <algorithm>
#include <charconv>

#include "error.h"

namespace eyrie::gpu {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

}  // namespace

bool Arguments::flag(const std::string& name) {
  known_.push_back("--" + name);
  return std::erase(words_, "--" + name) > 0;
}

bool Arguments::take(const std::string& name, std::string& value) {
  known_.push_back("--" + name);
  const auto found = std::find(words_.begin(), words_.end(), "--" + name);
  if (found == words_.end()) return false;
  if (found + 1 == words_.end() || (found + 1)->starts_with("--")) refuse("--" + name + " of '" + command_ + "' needs a value");
  value = *(found + 1);
  words_.erase(found, found + 2);
  if (std::find(words_.begin(), words_.end(), "--" + name) != words_.end()) refuse("--" + name + " of '" + command_ + "' is given twice");
  return true;
}

std::string Arguments::text(const std::string& name, const std::string& otherwise) {
  std::string value = otherwise;
  take(name, value);
  return value;
}

std::string Arguments::choice(const std::string& name, const std::string& otherwise, const std::vector<std::string>& allowed) {
  const std::string value = text(name, otherwise);
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return value;
  std::string list;
  for (const std::string& one : allowed) list += (list.empty() ? "" : ", ") + one;
  refuse("--" + name + " of '" + command_ + "' is '" + value + "', must be one of " + list);
}

uint32_t Arguments::to_number(const std::string& name, const std::string& value, uint32_t min, uint32_t max) const {
  uint32_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < min || number > max) {
    refuse("--" + name + " of '" + command_ + "' is '" + value + "', must be a whole number from " + std::to_string(min) + " to " +
           std::to_string(max));
  }
  return number;
}

uint32_t Arguments::number(const std::string& name, uint32_t otherwise, uint32_t min, uint32_t max) {
  std::string value;
  return take(name, value) ? to_number(name, value, min, max) : otherwise;
}

float Arguments::real(const std::string& name, float otherwise, float min, float max) {
  std::string value;
  if (!take(name, value)) return otherwise;
  float number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || !(number >= min && number <= max)) {
    refuse("--" + name + " of '" + command_ + "' is '" + value + "', must be a number from " + std::to_string(min) + " to " +
           std::to_string(max));
  }
  return number;
}

std::vector<uint32_t> Arguments::numbers(const std::string& name, std::vector<uint32_t> otherwise, uint32_t min, uint32_t max) {
  std::string value;
  if (!take(name, value)) return otherwise;
  std::vector<uint32_t> list;
  for (const std::string& part : split(value)) list.push_back(to_number(name, part, min, max));
  return list;
}

std::vector<std::string> Arguments::texts(const std::string& name, std::vector<std::string> otherwise) {
  std::string value;
  return take(name, value) ? split(value) : otherwise;
}

std::string Arguments::word(const std::string& what) {
  const auto found = std::find_if(words_.begin(), words_.end(), [](const std::string& w) { return !w.starts_with("--"); });
  if (found == words_.end()) refuse("'" + command_ + "' needs " + what);
  std::string value = *found;
  words_.erase(found);
  return value;
}

void Arguments::finish() const {
  if (words_.empty()) return;
  std::string list;
  for (const std::string& one : known_) list += (list.empty() ? "" : ", ") + one;
  refuse("'" + command_ + "' does not know '" + words_.front() + "'; it knows " + (list.empty() ? "no arguments" : list));
}

}  // namespace eyrie::gpu
