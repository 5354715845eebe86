#pragma once
#include <cstdint>

#include "io/input_file.h"

namespace eyrie {

/// Where the central directory of a zip file lies.
struct ZipDirectoryRange {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
};

/// Reads the record at the very end of the file, and its zip64 form where there is one. Throws model_invalid for a comment, several
/// disks, records that differ, or a directory that does not end where they begin.
ZipDirectoryRange read_zip_end_record(const InputFile& file);

}  // namespace eyrie
