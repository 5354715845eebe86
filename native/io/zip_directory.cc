#include "io/zip_directory.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <unordered_set>

#include "io/bounds.h"
#include "error.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kEnd64LocatorSignature = 0x07064b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint64_t kEndBytes = 22;
constexpr uint64_t kEnd64Bytes = 56;
constexpr uint64_t kEnd64LocatorBytes = 20;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kLocalBytes = 30;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kFlagEncrypted = 1u << 0;
constexpr uint16_t kFlagSizesFollow = 1u << 3;
constexpr uint16_t kFlagStrongEncryption = 1u << 6;
constexpr uint16_t kFlagMaskedHeader = 1u << 13;
constexpr uint16_t kNone16 = 0xffff;
constexpr uint32_t kNone32 = 0xffffffff;

[[noreturn]] void refuse(const std::string& file, const std::string& reason) {
  throw Error(ErrorCode::model_invalid, file + ": " + reason);
}

// Little-endian fields of a record; reading past the end is an error of the file.
class Fields {
 public:
  Fields(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

  uint16_t u16(size_t at) const { return static_cast<uint16_t>(value(at, 2)); }
  uint32_t u32(size_t at) const { return static_cast<uint32_t>(value(at, 4)); }
  uint64_t u64(size_t at) const { return value(at, 8); }
  size_t size() const { return bytes_.size(); }

  Fields part(size_t at, size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) refuse(file_, "a zip record is cut off");
    return Fields(bytes_.subspan(at, count), file_);
  }
  std::string_view text(size_t at, size_t count) const {
    const Fields range = part(at, count);
    return {reinterpret_cast<const char*>(range.bytes_.data()), count};
  }

 private:
  uint64_t value(size_t at, size_t count) const {
    if (at > bytes_.size() || count > bytes_.size() - at) refuse(file_, "a zip record is cut off");
    uint64_t out = 0;
    for (size_t i = 0; i < count; ++i) out |= std::to_integer<uint64_t>(bytes_[at + i]) << (8 * i);
    return out;
  }

  std::span<const std::byte> bytes_;
  const std::string& file_;
};

std::vector<std::byte> read_range(const InputFile& file, uint64_t offset, uint64_t count) {
  if (offset > file.size() || count > file.size() - offset) refuse(file.name(), "a zip record lies outside the file");
  std::vector<std::byte> bytes(count);
  file.read_at(offset, bytes);
  return bytes;
}

struct Directory {
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t entries = 0;
};

Directory read_end64(const InputFile& file, uint64_t end_offset) {
  if (end_offset < kEnd64LocatorBytes) refuse(file.name(), "the zip64 end record is missing");
  const auto locator_bytes = read_range(file, end_offset - kEnd64LocatorBytes, kEnd64LocatorBytes);
  const Fields locator(locator_bytes, file.name());
  if (locator.u32(0) != kEnd64LocatorSignature) refuse(file.name(), "the zip64 end record is missing");
  if (locator.u32(4) != 0 || locator.u32(16) != 1) refuse(file.name(), "a zip over several disks");
  const uint64_t end64_offset = locator.u64(8);
  const auto end64_bytes = read_range(file, end64_offset, kEnd64Bytes);
  const Fields end64(end64_bytes, file.name());
  if (end64.u32(0) != kEnd64Signature || end64.u64(4) != kEnd64Bytes - 12 ||
      end64_offset + kEnd64Bytes != end_offset - kEnd64LocatorBytes) {
    refuse(file.name(), "the zip64 end record is damaged");
  }
  if (end64.u32(16) != 0 || end64.u32(20) != 0 || end64.u64(24) != end64.u64(32)) {
    refuse(file.name(), "a zip over several disks");
  }
  const Directory directory{end64.u64(48), end64.u64(40), end64.u64(32)};
  if (directory.offset > end64_offset || directory.bytes != end64_offset - directory.offset) {
    refuse(file.name(), "the zip directory does not end where its end record begins");
  }
  return directory;
}

Directory read_end(const InputFile& file) {
  if (file.size() < kEndBytes) refuse(file.name(), "too short for a zip file");
  const uint64_t end_offset = file.size() - kEndBytes;
  const auto bytes = read_range(file, end_offset, kEndBytes);
  const Fields end(bytes, file.name());
  if (end.u32(0) != kEndSignature || end.u16(20) != 0) {
    refuse(file.name(),
           "no zip end record at the end of the file; an incomplete download, or a file of torch.save before version 1.6 "
           "(load and save it again with a newer torch)");
  }
  // A zip64 locator decides; readers that look at it only when a field is full would see another file.
  const bool zip64 = end_offset >= kEnd64LocatorBytes &&
                     Fields(read_range(file, end_offset - kEnd64LocatorBytes, 4), file.name()).u32(0) == kEnd64LocatorSignature;
  if (zip64) {
    const Directory directory = read_end64(file, end_offset);
    const auto agrees = [](uint64_t small, uint64_t full, uint64_t value) { return small == full || small == value; };
    if (!agrees(end.u16(10), kNone16, directory.entries) || !agrees(end.u32(12), kNone32, directory.bytes) ||
        !agrees(end.u32(16), kNone32, directory.offset)) {
      refuse(file.name(), "the zip and zip64 end records differ");
    }
    return directory;
  }
  if (end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != end.u16(10)) refuse(file.name(), "a zip over several disks");
  const Directory directory{end.u32(16), end.u32(12), end.u16(10)};
  if (directory.offset > end_offset || directory.bytes != end_offset - directory.offset) {
    refuse(file.name(), "the zip directory does not end where its end record begins");
  }
  return directory;
}

// Fills in the fields that the 32-bit record marks as full, from its zip64 extra field.
void apply_zip64_extra(const Fields& extra, const std::string& file, uint64_t& uncompressed, uint64_t& compressed,
                     uint64_t* offset) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const Fields field = extra.part(at + 4, extra.u16(at + 2));
    if (extra.u16(at) == kZip64Extra) {
      size_t next = 0;
      for (uint64_t* value : {&uncompressed, &compressed, offset}) {
        if (value == nullptr || *value != kNone32) continue;
        *value = field.u64(next);
        next += 8;
      }
      return;
    }
    at += 4 + field.size();
  }
  if (uncompressed == kNone32 || compressed == kNone32 || (offset != nullptr && *offset == kNone32)) {
    refuse(file, "a zip64 size is missing");
  }
}

bool is_safe_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find_first_of(std::string_view("\\\0", 2)) != std::string_view::npos) {
    return false;
  }
  for (size_t start = 0; start <= name.size();) {
    const size_t slash = std::min(name.find('/', start), name.size());
    const std::string_view segment = name.substr(start, slash - start);
    if (segment == "." || segment == "..") return false;
    start = slash + 1;
  }
  return true;
}

void check_kind(const std::string& file, const std::string& name, uint16_t flags, uint16_t method) {
  if ((flags & (kFlagEncrypted | kFlagStrongEncryption | kFlagMaskedHeader)) != 0) {
    refuse(file, "entry " + quoted_text(name) + " is encrypted");
  }
  if (method != 0) refuse(file, "entry " + quoted_text(name) + " is compressed; torch.save stores entries as they are");
}

struct LocatedEntry {
  ZipEntry entry;
  uint64_t header_offset = 0;
};

// Finds the content behind the entry's local header, which must tell the same story as the directory.
void locate_content(const InputFile& file, LocatedEntry& located, uint16_t flags) {
  ZipEntry& entry = located.entry;
  const auto fixed_bytes = read_range(file, located.header_offset, kLocalBytes);
  const Fields fixed(fixed_bytes, file.name());
  if (fixed.u32(0) != kLocalSignature) refuse(file.name(), "entry " + quoted_text(entry.name) + " has no local header");
  const uint64_t name_bytes = fixed.u16(26);
  const uint64_t extra_bytes = fixed.u16(28);
  const auto tail_bytes = read_range(file, located.header_offset + kLocalBytes, name_bytes + extra_bytes);
  const Fields tail(tail_bytes, file.name());
  check_kind(file.name(), entry.name, fixed.u16(6), fixed.u16(8));
  uint64_t uncompressed = fixed.u32(22);
  uint64_t compressed = fixed.u32(18);
  apply_zip64_extra(tail.part(name_bytes, extra_bytes), file.name(), uncompressed, compressed, nullptr);
  const bool sizes_follow = (flags & kFlagSizesFollow) != 0 && uncompressed == 0 && compressed == 0;
  if (tail.text(0, name_bytes) != entry.name || fixed.u16(6) != flags ||
      (!sizes_follow && (uncompressed != entry.bytes || compressed != entry.bytes))) {
    refuse(file.name(), "the two headers of entry " + quoted_text(entry.name) + " differ");
  }
  entry.offset = located.header_offset + kLocalBytes + name_bytes + extra_bytes;
}

void check_overlap(const std::string& file, std::vector<LocatedEntry>& entries, uint64_t directory_offset) {
  std::sort(entries.begin(), entries.end(),
            [](const LocatedEntry& a, const LocatedEntry& b) { return a.header_offset < b.header_offset; });
  for (size_t i = 0; i < entries.size(); ++i) {
    const ZipEntry& entry = entries[i].entry;
    const uint64_t limit = i + 1 < entries.size() ? entries[i + 1].header_offset : directory_offset;
    if (entry.offset > limit || entry.bytes > limit - entry.offset) {
      refuse(file, "entry " + quoted_text(entry.name) + " overlaps what follows it");
    }
  }
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(const InputFile& file) {
  const Directory directory = read_end(file);
  if (directory.bytes > bounds::kZipDirectoryBytesMax || directory.entries > bounds::kZipEntriesMax) {
    refuse(file.name(), "the zip directory holds " + std::to_string(directory.entries) + " entries in " +
                            std::to_string(directory.bytes) + " bytes, more than allowed");
  }
  const auto bytes = read_range(file, directory.offset, directory.bytes);
  const Fields fields(bytes, file.name());
  std::vector<LocatedEntry> entries;
  std::unordered_set<std::string> names;
  size_t at = 0;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    const Fields record = fields.part(at, kCentralBytes);
    if (record.u32(0) != kCentralSignature) refuse(file.name(), "the zip directory is damaged");
    const size_t name_bytes = record.u16(28);
    const size_t extra_bytes = record.u16(30);
    const size_t comment_bytes = record.u16(32);
    LocatedEntry located;
    located.entry.name = std::string(fields.text(at + kCentralBytes, name_bytes));
    if (!is_safe_name(located.entry.name)) refuse(file.name(), "unsafe entry name " + quoted_text(located.entry.name));
    if (!names.insert(located.entry.name).second) {
      refuse(file.name(), "two entries are called " + quoted_text(located.entry.name));
    }
    check_kind(file.name(), located.entry.name, record.u16(8), record.u16(10));
    uint64_t compressed = record.u32(20);
    uint64_t uncompressed = record.u32(24);
    located.header_offset = record.u32(42);
    apply_zip64_extra(fields.part(at + kCentralBytes + name_bytes, extra_bytes), file.name(), uncompressed, compressed,
                    &located.header_offset);
    if (record.u16(34) != 0) refuse(file.name(), "a zip over several disks");
    if (compressed != uncompressed) refuse(file.name(), "entry " + quoted_text(located.entry.name) + " is compressed");
    located.entry.bytes = uncompressed;
    locate_content(file, located, record.u16(8));
    entries.push_back(std::move(located));
    at += kCentralBytes + name_bytes + extra_bytes + comment_bytes;
  }
  if (at != bytes.size()) refuse(file.name(), "bytes after the last record of the zip directory");
  check_overlap(file.name(), entries, directory.offset);
  std::vector<ZipEntry> out;
  out.reserve(entries.size());
  for (LocatedEntry& located : entries) out.push_back(std::move(located.entry));
  return out;
}

}  // namespace eyrie
