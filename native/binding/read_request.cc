#include "binding/read_request.h"

#include "binding/grammars.h"
#include "binding/read_fields.h"

namespace eyrie {

Request read_request(const Napi::Value& value) {
  const FieldReader fields(value, "request");
  Request request;
  request.prompt_ids = fields.words32("promptIds");
  request.max_tokens = fields.whole("maxTokens");
  request.min_tokens = fields.whole("minTokens");
  request.ignore_eos = fields.boolean("ignoreEos");
  request.temperature = fields.number("temperature");
  request.top_p = fields.number("topP");
  request.top_k = fields.whole("topK");
  request.min_p = fields.number("minP");
  request.repetition_penalty = fields.number("repetitionPenalty");
  request.frequency_penalty = fields.number("frequencyPenalty");
  request.presence_penalty = fields.number("presencePenalty");
  request.seed = fields.word("seed");
  request.sequence_key = fields.word("sequenceKey");
  request.stop = fields.byte_strings("stop");
  request.logit_bias_ids = fields.words32("logitBiasIds");
  request.logit_bias_values = fields.floats("logitBiasValues");
  request.logprobs = fields.whole_from("logprobs", -1, 20);
  request.prompt_logprobs = fields.boolean("promptLogprobs");
  request.urgent = fields.boolean("urgent");
  request.group = fields.whole("group");
  request.grammar = read_grammar(fields.value("grammar"));
  return request;
}

}  // namespace eyrie
