#include "io/torch_archive.h"

#include <string_view>
#include <unordered_map>

#include "error.h"
#include "io/bounds.h"
#include "io/quoted_text.h"
#include "io/restricted_pickle.h"
#include "io/zip_directory.h"

namespace eyrie {

namespace {

[[noreturn]] void refuse(const InputFile& file, const std::string& reason) {
  throw Error(ErrorCode::model_invalid, file.name() + ": " + reason);
}

// Entries by their name below the archive's one root folder.
std::unordered_map<std::string, ZipEntry> entries_below_root(const InputFile& file) {
  std::unordered_map<std::string, ZipEntry> below;
  std::string root;
  for (ZipEntry& entry : read_zip_directory(file)) {
    const size_t slash = entry.name.find('/');
    if (slash == std::string::npos) refuse(file, "entry " + quoted_text(entry.name) + " lies outside the archive's folder");
    if (root.empty()) root = entry.name.substr(0, slash);
    if (entry.name.substr(0, slash) != root) {
      refuse(file, "entries lie in two folders, " + quoted_text(root) + " and " + quoted_text(entry.name.substr(0, slash)));
    }
    std::string name = entry.name.substr(slash + 1);
    below.emplace(std::move(name), std::move(entry));
  }
  return below;
}

std::vector<std::byte> read_entry(const InputFile& file, const ZipEntry& entry, uint64_t bytes_max) {
  if (entry.bytes > bytes_max) {
    refuse(file, "entry " + quoted_text(entry.name) + " of " + std::to_string(entry.bytes) + " bytes exceeds the allowed " +
                     std::to_string(bytes_max));
  }
  std::vector<std::byte> bytes(entry.bytes);
  file.read_at(entry.offset, bytes);
  return bytes;
}

void check_byte_order(const InputFile& file, const std::unordered_map<std::string, ZipEntry>& entries) {
  const auto found = entries.find("byteorder");
  if (found == entries.end()) return;
  const auto bytes = read_entry(file, found->second, 16);
  if (std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()) != "little") {
    refuse(file, "written on a big-endian machine; save it again on a little-endian one");
  }
}

}  // namespace

std::vector<TensorInfo> read_torch_archive(const InputFile& file) {
  const auto entries = entries_below_root(file);
  check_byte_order(file, entries);
  const auto program = entries.find("data.pkl");
  if (program == entries.end()) refuse(file, "no data.pkl in the archive; not a file of torch.save");
  std::vector<TensorInfo> tensors;
  for (PickledTensor& pickled : read_state_dict_pickle(read_entry(file, program->second, bounds::kPickleBytesMax), file.name())) {
    const auto storage = entries.find("data/" + pickled.storage_key);
    if (storage == entries.end()) {
      refuse(file,
             "tensor " + quoted_text(pickled.name) + " lies in storage " + quoted_text(pickled.storage_key) + ", which the archive lacks");
    }
    const uint64_t element_bytes = dtype_bytes(pickled.dtype);
    if (storage->second.bytes / element_bytes != pickled.storage_elements || storage->second.bytes % element_bytes != 0) {
      refuse(file, "storage " + quoted_text(pickled.storage_key) + " holds " + std::to_string(storage->second.bytes) + " bytes, not " +
                       std::to_string(pickled.storage_elements) + " elements of " + dtype_name(pickled.dtype));
    }
    TensorInfo tensor;
    tensor.dtype = pickled.dtype;
    tensor.offset = storage->second.offset + pickled.element_offset * element_bytes;
    static_cast<void>(shape_bytes(pickled.shape, element_bytes, tensor.bytes));
    tensor.name = std::move(pickled.name);
    tensor.shape = std::move(pickled.shape);
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

}  // namespace eyrie
