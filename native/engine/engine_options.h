#pragma once
// What an engine is opened with, and what it says about itself. Mirrors NativeEngineOptions, NativeEngineInfo and NativeReport.

#include <cstdint>
#include <string>
#include <vector>

#include "model/falcon_config.h"

namespace eyrie {

struct EngineOptions {
  std::string model_directory;
  FalconConfig config;
  std::string dtype;  ///< "float32", "bfloat16" or "int8"
  std::string isa;    ///< "auto" or a level of cpu/isa.h
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;
  uint32_t prefill_tokens = 0;
  uint32_t threads = 0;
  std::vector<uint32_t> stop_token_ids;
  /// Both empty when the checkpoint has no tokenizer.
  std::string token_bytes;
  std::vector<uint32_t> token_byte_ends;
};

struct EngineInfo {
  std::string isa;
  std::string dtype;
  uint64_t weight_bytes = 0;
  uint64_t kv_cache_bytes = 0;
  std::string build;
};

/// Running totals since the engine opened.
struct EngineReport {
  uint64_t prompt_tokens = 0;
  uint64_t generated_tokens = 0;
  uint64_t padded_prefill_tokens = 0;
  uint64_t prefill_packs = 0;
  uint64_t decode_steps = 0;
  uint64_t idle_slot_steps = 0;
  uint64_t overrun_tokens = 0;
  uint64_t prefill_nanoseconds = 0;    ///< passes with prefill rows; decode rows ride along
  uint64_t prefill_multiply_adds = 0;  ///< of the matrix products of those passes
  uint64_t decode_nanoseconds = 0;     ///< passes with decode rows alone
  uint64_t decode_multiply_adds = 0;
  uint64_t decode_only_steps = 0;  ///< number of those passes
};

/// Throws invalid_request naming the option, its value and what is allowed; model_invalid for a config that cannot be.
void check_engine_options(const EngineOptions& options);

}  // namespace eyrie
