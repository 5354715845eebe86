// The ranges of SamplingParams, checked once per request.

#include <cmath>
#include <string>

#include "error.h"
#include "sampling/sample.h"

namespace eyrie {

namespace {

template <class Value>
void require(bool ok, const char* field, Value seen, const std::string& allowed) {
  if (!ok) throw Error(ErrorCode::invalid_request, std::string(field) + " is " + std::to_string(seen) + "; allowed is " + allowed);
}

}  // namespace

void check_sampling_params(const SamplingParams& p, int64_t vocab) {
  require(std::isfinite(p.temperature) && p.temperature >= 0, "temperature", p.temperature, "a number >= 0");
  require(p.top_k >= 0, "top_k", p.top_k, "0 (off) or more");
  require(p.top_p > 0 && p.top_p <= 1, "top_p", p.top_p, "above 0, up to 1");
  require(p.min_p >= 0 && p.min_p <= 1, "min_p", p.min_p, "0 to 1");
  require(std::isfinite(p.repetition_penalty) && p.repetition_penalty > 0, "repetition_penalty", p.repetition_penalty, "a number above 0");
  require(std::isfinite(p.frequency_penalty), "frequency_penalty", p.frequency_penalty, "a finite number");
  require(std::isfinite(p.presence_penalty), "presence_penalty", p.presence_penalty, "a finite number");
  require(p.min_tokens >= 0, "min_tokens", p.min_tokens, "0 or more");
  const std::string ids = "a token id from 0 to " + std::to_string(vocab - 1);
  for (const LogitBias& b : p.logit_bias) {
    require(b.id >= 0 && b.id < vocab, "logit_bias id", b.id, ids);
    require(!std::isnan(b.bias) && b.bias < INFINITY, "logit_bias value", b.bias, "a number or -infinity");
  }
  for (int32_t id : p.stop_ids) require(id >= 0 && id < vocab, "stop id", id, ids);
}

}  // namespace eyrie
