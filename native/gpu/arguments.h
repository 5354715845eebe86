#pragma once
// The command line after the sub-command: `--name value` pairs, flags, and plain words. Every mistake is an invalid_request that
// names the argument, what was seen and what is allowed.

#include <cstdint>
#include <string>
#include <vector>

namespace eyrie::gpu {

class Arguments {
 public:
  Arguments(std::string command, std::vector<std::string> words) : command_(std::move(command)), words_(std::move(words)) {}

  /// True when `--name` is there.
  bool flag(const std::string& name);
  std::string text(const std::string& name, const std::string& otherwise);
  /// One of `allowed`.
  std::string choice(const std::string& name, const std::string& otherwise, const std::vector<std::string>& allowed);
  uint32_t number(const std::string& name, uint32_t otherwise, uint32_t min, uint32_t max);
  float real(const std::string& name, float otherwise, float min, float max);
  /// Comma-separated numbers.
  std::vector<uint32_t> numbers(const std::string& name, std::vector<uint32_t> otherwise, uint32_t min, uint32_t max);
  std::vector<std::string> texts(const std::string& name, std::vector<std::string> otherwise);
  /// The next plain word; `what` says in the error what is missing.
  std::string word(const std::string& what);
  /// Refuses whatever was not asked for by the calls above: call it last.
  void finish() const;

 private:
  /// Takes `--name value` out; false when it is not there.
  bool take(const std::string& name, std::string& value);
  uint32_t to_number(const std::string& name, const std::string& value, uint32_t min, uint32_t max) const;

  std::string command_;
  std::vector<std::string> words_;
  std::vector<std::string> known_;
};

}  // namespace eyrie::gpu
