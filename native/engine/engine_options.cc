#include "engine/engine_options.h"

#include "error.h"

namespace eyrie {

namespace {

constexpr uint32_t kSlotsMax = 1024;
constexpr uint32_t kCardsMax = 8;
constexpr uint32_t kPrefillTokensMin = 16;
constexpr uint32_t kPrefillTokensMax = 8192;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

void check_range(const char* option, uint32_t value, uint32_t min, uint32_t max) {
  if (value < min || value > max) {
    refuse(std::string(option) + " is " + std::to_string(value) + ", must be from " + std::to_string(min) + " to " + std::to_string(max));
  }
}

void check_token_bytes(const EngineOptions& options) {
  if (options.token_byte_ends.empty()) return;
  if (options.token_byte_ends.size() != options.config.vocab_size) {
    refuse("tokenByteEnds has " + std::to_string(options.token_byte_ends.size()) +
           " entries, must have vocabSize = " + std::to_string(options.config.vocab_size));
  }
  uint32_t end = 0;
  for (const uint32_t next : options.token_byte_ends) {
    if (next < end || next > options.token_bytes.size()) {
      refuse("tokenByteEnds must ascend and stay within the " + std::to_string(options.token_bytes.size()) + " bytes of tokenBytes");
    }
    end = next;
  }
}

}  // namespace

void check_engine_options(const EngineOptions& options) {
  check_falcon_config(options.config);
  check_range("slots", options.slots, 1, kSlotsMax);
  check_range("slotTokens", options.slot_tokens, 1, options.config.context_tokens);
  check_range("prefillTokens", options.prefill_tokens, kPrefillTokensMin, kPrefillTokensMax);
  check_range("threads", options.threads, 1, 256);
  if (options.device != DeviceChoice::cpu) {
    check_range("cuda.slots", options.cuda.slots, 1, kSlotsMax);
    check_range("cuda.prefillTokens", options.cuda.prefill_tokens, kPrefillTokensMin, kPrefillTokensMax);
    check_range("cuda.cards", options.cuda.cards, 1, kCardsMax);
  }
  for (const uint32_t id : options.stop_token_ids) {
    if (id >= options.config.vocab_size) {
      refuse("stopTokenIds holds " + std::to_string(id) + ", must be below vocabSize " + std::to_string(options.config.vocab_size));
    }
  }
  check_token_bytes(options);
}

}  // namespace eyrie
