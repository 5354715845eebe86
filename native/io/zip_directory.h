#pragma once
// The table of contents of a zip file whose entries are all stored uncompressed, as torch.save writes it.

#include <cstdint>
#include <string>
#include <vector>

#include "io/input_file.h"

namespace eyrie {

struct ZipEntry {
  std::string name;
  /// First byte of the content, from the start of the file.
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// Reads the central directory (zip64 too) and checks it against each entry's local header. Throws model_invalid for
/// compression, encryption, several disks, a comment or bytes after the end, duplicate or unsafe names, headers that differ,
/// ranges that overlap each other or the directory: each is a way to show two readers two different files.
std::vector<ZipEntry> read_zip_directory(const InputFile& file);

}  // namespace eyrie
