#pragma once
// A folder of weight files seen as one table of tensors, with positional reads. Only headers are read when it is opened.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/input_file.h"
#include "io/tensor_info.h"

namespace eyrie {

class Checkpoint {
 public:
  /// Takes, in this order, what `directory` has: model.safetensors, model.safetensors.index.json with its shards,
  /// pytorch_model.bin, pytorch_model.bin.index.json with its shards.
  /// Throws model_unreadable (folder or file missing, I/O error) or model_invalid (damaged, hostile or inconsistent).
  static Checkpoint open(const std::string& directory);

  /// Names come without the `transformer.` prefix, which some files lack.
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  /// nullptr when the checkpoint has no such tensor.
  const TensorInfo* find(std::string_view name) const;
  /// In the order of the index, or the only one.
  const std::vector<InputFile>& files() const { return files_; }
  const std::string& file_name(const TensorInfo& tensor) const { return files_[tensor.file].name(); }

  /// Fills `out` from `byte_offset` within the tensor. The range must lie inside it. Thread-safe.
  void read(const TensorInfo& tensor, uint64_t byte_offset, std::span<std::byte> out) const;
  /// Hint that these bytes come next.
  void prefetch(const TensorInfo& tensor, uint64_t byte_offset, uint64_t bytes) const;

 private:
  void add_file(const std::string& path);
  void add_tensors(std::vector<TensorInfo> tensors, size_t file);
  void open_indexed(const std::string& directory, const std::string& index_name);

  std::vector<InputFile> files_;
  std::vector<TensorInfo> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
};

/// Buffers that published checkpoints carry beside the weights and that any reader recomputes.
bool is_ignored_tensor(std::string_view name);

}  // namespace eyrie
