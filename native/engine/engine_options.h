#pragma once
// What an engine is opened with, and what it says about itself. Mirrors NativeEngineOptions, NativeEngineInfo and NativeReport.

#include <cstdint>
#include <string>
#include <vector>

#include "cpu/isa.h"
#include "engine/backend.h"
#include "model/falcon_config.h"
#include "numbers/dtype.h"

namespace eyrie {

enum class DeviceChoice : uint8_t {
  automatic,  ///< a card where there is one that can hold the model, else the CPU
  cpu,
  cuda,
};

/// What holds where the model is on a card.
struct CudaChoice {
  std::string library;  ///< file of libeyrie_cuda.so; empty: build-cuda/ beside the folder of the addon
  uint32_t slots = 0;
  uint32_t prefill_tokens = 0;
  uint32_t kv_pages = 0;    ///< 0: as many as the card's free memory holds
  uint32_t cards = 1;       ///< that share the model (tensor parallel): the first so many
  bool keep_dense = false;  ///< with fp8 and int8: these matrices of the layers stay bfloat16
  bool keep_down = false;
};

struct EngineOptions {
  std::string model_directory;
  FalconConfig config;
  DeviceChoice device = DeviceChoice::cpu;
  DType dtype = DType::bfloat16;  ///< of the layers' weights
  Isa isa = Isa::scalar;          ///< of the CPU; one that it can run
  CudaChoice cuda;                ///< not looked at with the CPU
  uint32_t slots = 0;             ///< of the CPU until the engine is open, then those of the device in use
  uint32_t slot_tokens = 0;
  uint32_t prefill_tokens = 0;
  uint32_t threads = 0;
  std::vector<uint32_t> stop_token_ids;
  /// Both empty when the checkpoint has no tokenizer.
  std::string token_bytes;
  std::vector<uint32_t> token_byte_ends;
};

struct EngineInfo {
  BackendInfo backend;
  uint32_t slots = 0;
  uint32_t prefill_tokens = 0;
  std::string why_cpu;  ///< why no card was taken, where that was left to the engine; else empty
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
