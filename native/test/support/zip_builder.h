#pragma once
// Writes zip files, sound or wrong in one chosen way.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie::test {

inline void append_number(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

struct ZipPart {
  std::string name;
  std::string content;
  uint16_t flags = 0;
  uint16_t method = 0;
  /// What the local header calls the entry; the same name unless a test lies.
  std::string local_name = name;
  /// Added to the size that the directory states.
  int64_t size_lie = 0;
  /// Added to the offset that the directory states.
  int64_t offset_lie = 0;
};

struct ZipOptions {
  bool zip64 = false;
  std::string comment = {};
  uint16_t disk = 0;
  int entries_lie = 0;
};

inline std::string build_zip(const std::vector<ZipPart>& parts, const ZipOptions& options = {}) {
  std::string file;
  std::string directory;
  for (const ZipPart& part : parts) {
    const uint64_t offset = file.size() + static_cast<uint64_t>(part.offset_lie);
    const bool sizes_follow = (part.flags & 8) != 0;
    const uint64_t size = part.content.size();
    append_number(file, 0x04034b50, 4);
    append_number(file, 20, 2);
    append_number(file, part.flags, 2);
    append_number(file, part.method, 2);
    append_number(file, 0, 8);  // time, date, crc
    append_number(file, sizes_follow ? 0 : size, 4);
    append_number(file, sizes_follow ? 0 : size, 4);
    append_number(file, part.local_name.size(), 2);
    append_number(file, 0, 2);
    file += part.local_name + part.content;
    if (sizes_follow) file += std::string(16, '\0');

    const uint64_t stated = size + static_cast<uint64_t>(part.size_lie);
    append_number(directory, 0x02014b50, 4);
    append_number(directory, 20, 2);
    append_number(directory, 20, 2);
    append_number(directory, part.flags, 2);
    append_number(directory, part.method, 2);
    append_number(directory, 0, 8);
    append_number(directory, options.zip64 ? 0xffffffff : stated, 4);
    append_number(directory, options.zip64 ? 0xffffffff : stated, 4);
    append_number(directory, part.name.size(), 2);
    append_number(directory, options.zip64 ? 28 : 0, 2);
    append_number(directory, 0, 2);  // comment
    append_number(directory, options.disk, 2);
    append_number(directory, 0, 6);  // attributes
    append_number(directory, options.zip64 ? 0xffffffff : offset, 4);
    directory += part.name;
    if (options.zip64) {
      append_number(directory, 1, 2);
      append_number(directory, 24, 2);
      append_number(directory, stated, 8);
      append_number(directory, stated, 8);
      append_number(directory, offset, 8);
    }
  }
  const uint64_t directory_offset = file.size();
  const uint64_t entries = parts.size() + static_cast<uint64_t>(options.entries_lie);
  file += directory;
  if (options.zip64) {
    const uint64_t end64_offset = file.size();
    append_number(file, 0x06064b50, 4);
    append_number(file, 44, 8);
    append_number(file, 45, 2);
    append_number(file, 45, 2);
    append_number(file, options.disk, 4);
    append_number(file, options.disk, 4);
    append_number(file, entries, 8);
    append_number(file, entries, 8);
    append_number(file, directory.size(), 8);
    append_number(file, directory_offset, 8);
    append_number(file, 0x07064b50, 4);
    append_number(file, 0, 4);
    append_number(file, end64_offset, 8);
    append_number(file, 1, 4);
  }
  append_number(file, 0x06054b50, 4);
  append_number(file, options.disk, 2);
  append_number(file, options.disk, 2);
  append_number(file, options.zip64 ? 0xffff : entries, 2);
  append_number(file, options.zip64 ? 0xffff : entries, 2);
  append_number(file, options.zip64 ? 0xffffffff : directory.size(), 4);
  append_number(file, options.zip64 ? 0xffffffff : directory_offset, 4);
  append_number(file, options.comment.size(), 2);
  return file + options.comment;
}

}  // namespace eyrie::test
