#pragma once
// Fields of zip records, and the reads they come from; all refuse to leave the file.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/input_file.h"

namespace eyrie {

/// Throws model_invalid, naming the file.
[[noreturn]] void refuse_zip(const std::string& file, const std::string& reason);

/// Bytes [offset, offset + count) of the file.
std::vector<std::byte> read_zip_range(const InputFile& file, uint64_t offset, uint64_t count);

/// Little-endian fields of a record; reading past its end is an error of the file. Keeps no copy of either argument.
class ZipFields {
 public:
  ZipFields(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  uint16_t u16(size_t at) const { return static_cast<uint16_t>(value(at, 2)); }
  uint32_t u32(size_t at) const { return static_cast<uint32_t>(value(at, 4)); }
  uint64_t u64(size_t at) const { return value(at, 8); }
  size_t size() const { return bytes_.size(); }
  ZipFields part(size_t at, size_t count) const;
  std::string_view text(size_t at, size_t count) const;

 private:
  uint64_t value(size_t at, size_t count) const;

  std::span<const std::byte> bytes_;
  const std::string& file_;
};

}  // namespace eyrie
