#include "io/zip_end_record.h"

#include "io/zip_fields.h"

namespace eyrie {

namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kEnd64LocatorBytes = 20;
constexpr uint16_t kNone16 = 0xffff;
constexpr uint32_t kNone32 = 0xffffffff;

ZipDirectoryRange read_end64(const InputFile& file, uint64_t end_offset) {
  if (end_offset < kEnd64LocatorBytes) refuse_zip(file.name(), "the zip64 end record is missing");
  const auto locator_bytes = read_zip_range(file, end_offset - kEnd64LocatorBytes, kEnd64LocatorBytes);
  const ZipFields locator(locator_bytes, file.name());
  if (locator.u32(0) != kEnd64LocatorSignature) refuse_zip(file.name(), "the zip64 end record is missing");
  if (locator.u32(4) != 0 || locator.u32(16) != 1) refuse_zip(file.name(), "a zip over several disks");
  const uint64_t end64_offset = locator.u64(8);
  const auto end64_bytes = read_zip_range(file, end64_offset, kEnd64Bytes);
  const ZipFields end64(end64_bytes, file.name());
  if (end64.u32(0) != kEnd64Signature || end64.u64(4) != kEnd64Bytes - 12 ||
      end64_offset + kEnd64Bytes != end_offset - kEnd64LocatorBytes) {
    refuse_zip(file.name(), "the zip64 end record is damaged");
  }
  if (end64.u32(16) != 0 || end64.u32(20) != 0 || end64.u64(24) != end64.u64(32)) {
    refuse_zip(file.name(), "a zip over several disks");
  }
  const ZipDirectoryRange directory{end64.u64(48), end64.u64(40), end64.u64(32)};
  if (directory.offset > end64_offset || directory.bytes != end64_offset - directory.offset) {
    refuse_zip(file.name(), "the zip directory does not end where its end record begins");
  }
  return directory;
}

}  // namespace

ZipDirectoryRange read_zip_end_record(const InputFile& file) {
  if (file.size() < kEndBytes) refuse_zip(file.name(), "too short for a zip file");
  const uint64_t end_offset = file.size() - kEndBytes;
  const auto bytes = read_zip_range(file, end_offset, kEndBytes);
  const ZipFields end(bytes, file.name());
  if (end.u32(0) != kEndSignature || end.u16(20) != 0) {
    refuse_zip(file.name(),
               "no zip end record at the end of the file; an incomplete download, or a file of torch.save before version 1.6 "
               "(load and save it again with a newer torch)");
  }
  // A zip64 locator decides; readers that look at it only when a field is full would see another file.
  const bool zip64 = end_offset >= kEnd64LocatorBytes &&
                     ZipFields(read_zip_range(file, end_offset - kEnd64LocatorBytes, 4), file.name()).u32(0) == kEnd64LocatorSignature;
  if (zip64) {
    const ZipDirectoryRange directory = read_end64(file, end_offset);
    const auto agrees = [](uint64_t small, uint64_t full, uint64_t value) { return small == full || small == value; };
    if (!agrees(end.u16(10), kNone16, directory.entries) || !agrees(end.u32(12), kNone32, directory.bytes) ||
        !agrees(end.u32(16), kNone32, directory.offset)) {
      refuse_zip(file.name(), "the zip and zip64 end records differ");
    }
    return directory;
  }
  if (end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != end.u16(10)) refuse_zip(file.name(), "a zip over several disks");
  const ZipDirectoryRange directory{end.u32(16), end.u32(12), end.u16(10)};
  if (directory.offset > end_offset || directory.bytes != end_offset - directory.offset) {
    refuse_zip(file.name(), "the zip directory does not end where its end record begins");
  }
  return directory;
}

}  // namespace eyrie
