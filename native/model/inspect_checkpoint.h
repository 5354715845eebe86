#pragma once
// What a checkpoint holds, without loading it: its files, its tensors, and whether a stored head is the embedding again.

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/falcon_config.h"

namespace eyrie {

struct CheckpointFile {
  std::string name;
  uint64_t bytes = 0;
};

struct CheckpointTensor {
  /// Without the `transformer.` prefix.
  std::string name;
  std::string dtype;  ///< as safetensors spells it
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;
  uint32_t file = 0;  ///< place in `files`
};

struct CheckpointReport {
  std::vector<CheckpointFile> files;
  std::vector<CheckpointTensor> tensors;  ///< in the order of the model; buffers that any reader recomputes are left out
  /// Values of lm_head.weight that differ from word_embeddings.weight, both read as float32; none unless both are stored as
  /// floats of one shape.
  std::optional<uint64_t> head_differences;
};

/// Reads all headers, and embedding and head if both are stored, through two small buffers. `cancelled` ends it with engine_closed.
/// Throws model_unreadable, model_invalid (as match_falcon_tensors() does).
CheckpointReport inspect_checkpoint(const std::string& directory, const FalconConfig& config, const std::atomic<bool>& cancelled);

}  // namespace eyrie
