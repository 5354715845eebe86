#include "io/checkpoint.h"

#include <filesystem>

#include "error.h"
#include "io/bounds.h"
#include "io/quoted_text.h"
#include "io/safetensors_header.h"
#include "io/torch_archive.h"
#include "io/weight_index.h"

namespace eyrie {

namespace {

constexpr std::string_view kPrefix = "transformer.";

std::string without_prefix(const std::string& name) { return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name; }

bool exists(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

std::string read_whole(const InputFile& file, uint64_t bytes_max) {
  if (file.size() > bytes_max) {
    throw Error(ErrorCode::model_invalid,
                file.name() + ": " + std::to_string(file.size()) + " bytes, more than the allowed " + std::to_string(bytes_max));
  }
  std::string text(file.size(), '\0');
  file.read_at(0, std::as_writable_bytes(std::span(text)));
  return text;
}

std::vector<TensorInfo> read_header(const InputFile& file) {
  return file.name().ends_with(".safetensors") ? read_safetensors_header(file) : read_torch_archive(file);
}

}  // namespace

bool is_ignored_tensor(std::string_view name) { return name.ends_with(".causal_mask") || name.ends_with(".rotary_emb.inv_freq"); }

Checkpoint Checkpoint::open(const std::string& directory) {
  Checkpoint checkpoint;
  for (const char* name : {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    const std::string path = directory + "/" + name;
    if (!exists(path)) continue;
    if (path.ends_with(".json")) {
      checkpoint.open_indexed(directory, name);
    } else {
      checkpoint.add_file(path);
      checkpoint.add_tensors(read_header(checkpoint.files_.back()), 0);
    }
    return checkpoint;
  }
  throw Error(ErrorCode::model_unreadable, directory + ": no model.safetensors, pytorch_model.bin or index of shards in this folder");
}

void Checkpoint::add_file(const std::string& path) { files_.emplace_back(path); }

void Checkpoint::add_tensors(std::vector<TensorInfo> tensors, size_t file) {
  for (TensorInfo& tensor : tensors) {
    tensor.file = file;
    tensor.name = without_prefix(tensor.name);
    if (!by_name_.try_emplace(tensor.name, tensors_.size()).second) {
      throw Error(ErrorCode::model_invalid,
                  files_[file].name() + ": tensor " + quoted_text(tensor.name) + " occurs twice in the checkpoint");
    }
    tensors_.push_back(std::move(tensor));
  }
}

void Checkpoint::open_indexed(const std::string& directory, const std::string& index_name) {
  const WeightIndex index = parse_weight_index(read_whole(InputFile(directory + "/" + index_name), bounds::kIndexBytesMax), index_name);
  // All files first: of an unfinished download, the missing shard is the thing to name.
  for (const std::string& shard : index.shards) add_file(directory + "/" + shard);
  size_t found = 0;
  for (size_t shard = 0; shard < index.shards.size(); ++shard) {
    std::vector<TensorInfo> tensors = read_header(files_[shard]);
    for (const TensorInfo& tensor : tensors) {
      const auto listed = index.shard_of.find(tensor.name);
      if (listed == index.shard_of.end()) {
        if (is_ignored_tensor(tensor.name)) continue;
        throw Error(ErrorCode::model_invalid,
                    files_[shard].name() + ": holds tensor " + quoted_text(tensor.name) + ", which " + index_name + " does not list");
      }
      if (listed->second != shard) {
        throw Error(ErrorCode::model_invalid, files_[shard].name() + ": holds tensor " + quoted_text(tensor.name) + ", which " +
                                                  index_name + " expects in " + index.shards[listed->second]);
      }
      ++found;
    }
    add_tensors(std::move(tensors), shard);
  }
  if (found == index.shard_of.size()) return;
  for (const auto& [name, shard] : index.shard_of) {
    if (find(without_prefix(name)) == nullptr) {
      throw Error(ErrorCode::model_invalid,
                  index.shards[shard] + ": tensor " + quoted_text(name) + " is missing, though " + index_name + " lists it there");
    }
  }
  throw Error(ErrorCode::model_invalid, index_name + ": lists a tensor under two names");
}

const TensorInfo* Checkpoint::find(std::string_view name) const {
  const auto found = by_name_.find(std::string(name));
  return found == by_name_.end() ? nullptr : &tensors_[found->second];
}

void Checkpoint::read(const TensorInfo& tensor, uint64_t byte_offset, std::span<std::byte> out) const {
  if (byte_offset > tensor.bytes || out.size() > tensor.bytes - byte_offset) {
    throw Error(ErrorCode::internal_error, "read outside tensor " + quoted_text(tensor.name));
  }
  files_[tensor.file].read_at(tensor.offset + byte_offset, out);
}

void Checkpoint::prefetch(const TensorInfo& tensor, uint64_t byte_offset, uint64_t bytes) const {
  files_[tensor.file].prefetch(tensor.offset + byte_offset, bytes);
}

}  // namespace eyrie
