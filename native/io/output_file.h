#pragma once
// A new file that is written at any offset and then made durable.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace eyrie {

class OutputFile {
 public:
  /// The file must not exist yet. Throws disk_full, or invalid_request where it cannot be created.
  explicit OutputFile(const std::string& path);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// Throws disk_full, or invalid_request for any other failure.
  void write_at(uint64_t offset, std::span<const std::byte> bytes);
  /// Returns when the content is on the disk.
  void sync();

 private:
  [[noreturn]] void fail(int error) const;

  int descriptor_ = -1;
  std::string path_;
};

}  // namespace eyrie
