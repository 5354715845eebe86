#include "io/zip_fields.h"

#include "error.h"

namespace eyrie {

void refuse_zip(const std::string& file, const std::string& reason) { throw Error(ErrorCode::model_invalid, file + ": " + reason); }

std::vector<std::byte> read_zip_range(const InputFile& file, uint64_t offset, uint64_t count) {
  if (offset > file.size() || count > file.size() - offset) refuse_zip(file.name(), "a zip record lies outside the file");
  std::vector<std::byte> bytes(count);
  file.read_at(offset, bytes);
  return bytes;
}

ZipFields ZipFields::part(size_t at, size_t count) const {
  if (at > bytes_.size() || count > bytes_.size() - at) refuse_zip(file_, "a zip record is cut off");
  return ZipFields(bytes_.subspan(at, count), file_);
}

std::string_view ZipFields::text(size_t at, size_t count) const {
  const ZipFields range = part(at, count);
  return {reinterpret_cast<const char*>(range.bytes_.data()), count};
}

uint64_t ZipFields::value(size_t at, size_t count) const {
  if (at > bytes_.size() || count > bytes_.size() - at) refuse_zip(file_, "a zip record is cut off");
  uint64_t out = 0;
  for (size_t i = 0; i < count; ++i) out |= std::to_integer<uint64_t>(bytes_[at + i]) << (8 * i);
  return out;
}

}  // namespace eyrie
