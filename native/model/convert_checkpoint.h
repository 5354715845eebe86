#pragma once
// From any form of checkpoint to ours: safetensors shards with BF16 or 8-bit matrices. Values pass through a bounded buffer; the model
// is never in memory.

#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/compute.h"
#include "model/falcon_config.h"
#include "model/load_falcon.h"

namespace eyrie {

struct ConvertOptions {
  std::string model_directory;
  /// Must exist, and hold no file of the same name.
  std::string out_directory;
  FalconConfig config;
  std::string dtype;  ///< "bfloat16", "int8" or "fp8"
  /// Bytes of tensors per file, at least kShardBytesMin.
  uint64_t shard_bytes_max = 0;
  uint32_t threads = 0;
};

inline constexpr uint64_t kShardBytesMin = 1u << 20;

struct ConvertedTensor {
  std::string name;
  uint32_t file = 0;
};

struct ConvertReport {
  std::vector<std::string> files;
  std::vector<ConvertedTensor> tensors;
  /// Source tensors that the model does not use: a head beside a tied one, biases that are zero.
  std::vector<std::string> left_out;
  /// Bytes of all tensors.
  uint64_t tensor_bytes = 0;
  /// Values that BF16 could not hold exactly; rounded to nearest, ties to even.
  uint64_t rounded = 0;
  /// Values stored in 8 bits.
  uint64_t quantised = 0;
};

/// Writes the shards and makes them durable; the index is the caller's to write. `on_progress` and `cancelled` as in load_falcon().
/// 8-bit weights are those that loading with dtype int8, or fp8 on a card, makes of the same checkpoint, bit for bit.
/// Throws model_unreadable, model_invalid (also for NaN or infinite weights), invalid_request, disk_full, engine_closed.
ConvertReport convert_checkpoint(const ConvertOptions& options, const LoadProgress& on_progress, const std::atomic<bool>& cancelled);

}  // namespace eyrie
