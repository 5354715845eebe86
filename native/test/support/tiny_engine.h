#pragma once
// What the tests of engines over tiny checkpoints share.

#include <atomic>
#include <string>

#include "engine/engine_options.h"
#include "model/load_falcon.h"
#include "test/support/tiny_checkpoint.h"

namespace eyrie::test {

inline const LoadProgress kNoProgress = [](uint64_t, uint64_t) {};
inline const std::atomic<bool> kNotCancelled{false};

/// The token that ends a text.
inline constexpr uint32_t kTinyEnd = 11;

/// Every token is one letter.
inline void name_tokens(EngineOptions& options) {
  for (uint32_t id = 0; id < options.config.vocab_size; ++id) {
    options.token_bytes += static_cast<char>('a' + id % 26);
    options.token_byte_ends.push_back(id + 1);
  }
}

inline EngineOptions tiny_options(const FalconConfig& config) {
  EngineOptions options;
  options.config = config;
  options.slots = 4;
  options.slot_tokens = config.context_tokens;
  options.prefill_tokens = 128;
  options.stop_token_ids = {kTinyEnd};
  name_tokens(options);
  return options;
}

}  // namespace eyrie::test
