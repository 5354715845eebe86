#include "engine/check_request.h"

#include <cmath>
#include <string>

#include "engine/kv_pages.h"
#include "error.h"

namespace eyrie {

namespace {

constexpr size_t kStopsMax = 64;
constexpr size_t kStopBytesMax = 4096;

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::invalid_request, message); }

void check_ids(const char* field, const std::vector<uint32_t>& ids, uint32_t vocab_size) {
  for (const uint32_t id : ids) {
    if (id >= vocab_size) {
      refuse(std::string(field) + " holds " + std::to_string(id) + ", must be below the vocabulary size " + std::to_string(vocab_size));
    }
  }
}

void check_number(const char* field, float value, float min, float max) {
  if (!(value >= min && value <= max)) {
    refuse(std::string(field) + " is " + std::to_string(value) + ", must be from " + std::to_string(min) + " to " + std::to_string(max));
  }
}

void check_lengths(const Request& request, const EngineOptions& options, const KvBudget& budget) {
  if (request.prompt_ids.empty()) refuse("promptIds is empty; give at least one token");
  const uint64_t prompt = request.prompt_ids.size();
  if (prompt + request.max_tokens > options.slot_tokens) {
    refuse("promptIds has " + std::to_string(prompt) + " tokens and maxTokens is " + std::to_string(request.max_tokens) +
           "; together they must fit slotTokens = " + std::to_string(options.slot_tokens));
  }
  if (budget.pages_for(prompt + request.max_tokens) > budget.pages) {
    refuse("promptIds has " + std::to_string(prompt) + " tokens and maxTokens is " + std::to_string(request.max_tokens) +
           "; together they must fit the device's memory for keys and values, " + std::to_string(budget.pages) + " pages of " +
           std::to_string(budget.page_tokens) + " tokens");
  }
  if (request.max_tokens == 0 && !request.prompt_logprobs) refuse("maxTokens may be 0 only with promptLogprobs");
  if (request.min_tokens > request.max_tokens) {
    refuse("minTokens is " + std::to_string(request.min_tokens) + ", must not exceed maxTokens = " + std::to_string(request.max_tokens));
  }
}

void check_stop(const Request& request, const EngineOptions& options) {
  if (request.stop.empty()) return;
  if (options.token_byte_ends.empty())
    refuse("stop strings need a tokenizer, and this checkpoint has no tokenizer.json; leave stop out, or add the file");
  if (request.stop.size() > kStopsMax) {
    refuse("stop has " + std::to_string(request.stop.size()) + " strings, at most " + std::to_string(kStopsMax));
  }
  for (const std::string& stop : request.stop) {
    if (stop.empty() || stop.size() > kStopBytesMax) {
      refuse("a stop string has " + std::to_string(stop.size()) + " bytes, must have from 1 to " + std::to_string(kStopBytesMax));
    }
  }
}

void check_grammar(const Request& request, const EngineOptions& options) {
  if (request.grammar && request.grammar->vocab_size() != options.config.vocab_size) {
    refuse("grammar is over " + std::to_string(request.grammar->vocab_size()) +
           " tokens, must be over vocabSize = " + std::to_string(options.config.vocab_size));
  }
}

}  // namespace

void check_request(const Request& request, const EngineOptions& options, const BackendInfo& device) {
  constexpr float kLarge = 1e6f;
  check_lengths(request, options, kv_budget(device));
  check_ids("promptIds", request.prompt_ids, options.config.vocab_size);
  check_number("temperature", request.temperature, 0, kLarge);
  if (!(request.top_p > 0 && request.top_p <= 1)) {
    refuse("topP is " + std::to_string(request.top_p) + ", must be above 0 and at most 1");
  }
  check_number("minP", request.min_p, 0, 1);
  if (!(request.repetition_penalty > 0 && request.repetition_penalty <= kLarge)) {
    refuse("repetitionPenalty is " + std::to_string(request.repetition_penalty) + ", must be above 0");
  }
  check_number("frequencyPenalty", request.frequency_penalty, -kLarge, kLarge);
  check_number("presencePenalty", request.presence_penalty, -kLarge, kLarge);
  check_stop(request, options);
  check_grammar(request, options);
  if (request.logit_bias_ids.size() != request.logit_bias_values.size()) {
    refuse("logitBiasIds and logitBiasValues differ in length");
  }
  if (device.logit_biases_max > 0 && request.logit_bias_ids.size() > device.logit_biases_max) {
    refuse("logitBiasIds has " + std::to_string(request.logit_bias_ids.size()) + " entries, on this device at most " +
           std::to_string(device.logit_biases_max) + " are allowed; give fewer, or use the CPU with --device cpu");
  }
  check_ids("logitBiasIds", request.logit_bias_ids, options.config.vocab_size);
  for (const float value : request.logit_bias_values) check_number("logitBiasValues", value, -kLarge, kLarge);
  if (request.logprobs < -1 || request.logprobs > 20) {
    refuse("logprobs is " + std::to_string(request.logprobs) + ", must be from -1 to 20");
  }
}

}  // namespace eyrie
