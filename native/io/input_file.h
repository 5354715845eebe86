#pragma once
// A read-only regular file of known size. Reads are positional, so several threads may share one.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace eyrie {

class InputFile {
 public:
  /// Throws model_unreadable: missing, no permission, or no regular file.
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  uint64_t size() const { return size_; }
  /// Last part of the path: what error messages call this file.
  const std::string& name() const { return name_; }

  /// Fills `out` from `offset`. Throws model_unreadable on an I/O error or when the file has become shorter meanwhile.
  /// Not mapped into memory on purpose: a file that is cut while mapped kills the process with SIGBUS.
  void read_at(uint64_t offset, std::span<std::byte> out) const;

  /// Tells the kernel that [offset, offset + bytes) will be read soon. Best effort.
  void prefetch(uint64_t offset, uint64_t bytes) const;

 private:
  int descriptor_ = -1;
  uint64_t size_ = 0;
  std::string name_;
};

}  // namespace eyrie
