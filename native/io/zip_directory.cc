#include "io/zip_directory.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "io/bounds.h"
#include "io/quoted_text.h"
#include "io/zip_end_record.h"
#include "io/zip_fields.h"

namespace eyrie {

namespace {

constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint64_t kCentralBytes = 46;
constexpr uint64_t kLocalBytes = 30;
constexpr uint16_t kZip64Extra = 0x0001;
constexpr uint16_t kFlagEncrypted = 1u << 0;
constexpr uint16_t kFlagSizesFollow = 1u << 3;
constexpr uint16_t kFlagStrongEncryption = 1u << 6;
constexpr uint16_t kFlagMaskedHeader = 1u << 13;
constexpr uint32_t kNone32 = 0xffffffff;

// Fills in the fields that the 32-bit record marks as full, from its zip64 extra field.
void apply_zip64_extra(const ZipFields& extra, const std::string& file, uint64_t& uncompressed, uint64_t& compressed, uint64_t* offset) {
  for (size_t at = 0; at + 4 <= extra.size();) {
    const ZipFields field = extra.part(at + 4, extra.u16(at + 2));
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
    refuse_zip(file, "a zip64 size is missing");
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
    refuse_zip(file, "entry " + quoted_text(name) + " is encrypted");
  }
  if (method != 0) refuse_zip(file, "entry " + quoted_text(name) + " is compressed; torch.save stores entries as they are");
}

struct LocatedEntry {
  ZipEntry entry;
  uint64_t header_offset = 0;
};

// Finds the content behind the entry's local header, which must tell the same story as the directory.
void locate_content(const InputFile& file, LocatedEntry& located, uint16_t flags) {
  ZipEntry& entry = located.entry;
  const auto fixed_bytes = read_zip_range(file, located.header_offset, kLocalBytes);
  const ZipFields fixed(fixed_bytes, file.name());
  if (fixed.u32(0) != kLocalSignature) refuse_zip(file.name(), "entry " + quoted_text(entry.name) + " has no local header");
  const uint64_t name_bytes = fixed.u16(26);
  const uint64_t extra_bytes = fixed.u16(28);
  const auto tail_bytes = read_zip_range(file, located.header_offset + kLocalBytes, name_bytes + extra_bytes);
  const ZipFields tail(tail_bytes, file.name());
  check_kind(file.name(), entry.name, fixed.u16(6), fixed.u16(8));
  uint64_t uncompressed = fixed.u32(22);
  uint64_t compressed = fixed.u32(18);
  apply_zip64_extra(tail.part(name_bytes, extra_bytes), file.name(), uncompressed, compressed, nullptr);
  const bool sizes_follow = (flags & kFlagSizesFollow) != 0 && uncompressed == 0 && compressed == 0;
  if (tail.text(0, name_bytes) != entry.name || fixed.u16(6) != flags ||
      (!sizes_follow && (uncompressed != entry.bytes || compressed != entry.bytes))) {
    refuse_zip(file.name(), "the two headers of entry " + quoted_text(entry.name) + " differ");
  }
  entry.offset = located.header_offset + kLocalBytes + name_bytes + extra_bytes;
}

void check_overlap(const std::string& file, std::vector<LocatedEntry>& entries, uint64_t directory_offset) {
  std::sort(entries.begin(), entries.end(), [](const LocatedEntry& a, const LocatedEntry& b) { return a.header_offset < b.header_offset; });
  for (size_t i = 0; i < entries.size(); ++i) {
    const ZipEntry& entry = entries[i].entry;
    const uint64_t limit = i + 1 < entries.size() ? entries[i + 1].header_offset : directory_offset;
    if (entry.offset > limit || entry.bytes > limit - entry.offset) {
      refuse_zip(file, "entry " + quoted_text(entry.name) + " overlaps what follows it");
    }
  }
}

}  // namespace

std::vector<ZipEntry> read_zip_directory(const InputFile& file) {
  const ZipDirectoryRange directory = read_zip_end_record(file);
  if (directory.bytes > bounds::kZipDirectoryBytesMax || directory.entries > bounds::kZipEntriesMax) {
    refuse_zip(file.name(), "the zip directory holds " + std::to_string(directory.entries) + " entries in " +
                                std::to_string(directory.bytes) + " bytes, more than allowed");
  }
  const auto bytes = read_zip_range(file, directory.offset, directory.bytes);
  const ZipFields fields(bytes, file.name());
  std::vector<LocatedEntry> entries;
  std::unordered_set<std::string> names;
  size_t at = 0;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    const ZipFields record = fields.part(at, kCentralBytes);
    if (record.u32(0) != kCentralSignature) refuse_zip(file.name(), "the zip directory is damaged");
    const size_t name_bytes = record.u16(28);
    const size_t extra_bytes = record.u16(30);
    const size_t comment_bytes = record.u16(32);
    LocatedEntry located;
    located.entry.name = std::string(fields.text(at + kCentralBytes, name_bytes));
    if (!is_safe_name(located.entry.name)) refuse_zip(file.name(), "unsafe entry name " + quoted_text(located.entry.name));
    if (!names.insert(located.entry.name).second) {
      refuse_zip(file.name(), "two entries are called " + quoted_text(located.entry.name));
    }
    check_kind(file.name(), located.entry.name, record.u16(8), record.u16(10));
    uint64_t compressed = record.u32(20);
    uint64_t uncompressed = record.u32(24);
    located.header_offset = record.u32(42);
    apply_zip64_extra(fields.part(at + kCentralBytes + name_bytes, extra_bytes), file.name(), uncompressed, compressed,
                      &located.header_offset);
    if (record.u16(34) != 0) refuse_zip(file.name(), "a zip over several disks");
    if (compressed != uncompressed) refuse_zip(file.name(), "entry " + quoted_text(located.entry.name) + " is compressed");
    located.entry.bytes = uncompressed;
    locate_content(file, located, record.u16(8));
    entries.push_back(std::move(located));
    at += kCentralBytes + name_bytes + extra_bytes + comment_bytes;
  }
  if (at != bytes.size()) refuse_zip(file.name(), "bytes after the last record of the zip directory");
  check_overlap(file.name(), entries, directory.offset);
  std::vector<ZipEntry> out;
  out.reserve(entries.size());
  for (LocatedEntry& located : entries) out.push_back(std::move(located.entry));
  return out;
}

}  // namespace eyrie
