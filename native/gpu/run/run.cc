// eyrie_gpu run FOLDER [--input FILE] [--form 40b ... (forms.h)] [--device cuda|cpu] [--dtype ...] [--slots N] [--slot-tokens N]
//               [--prefill-tokens N] [--threads N] [--max-tokens N] [--temperature T] [--top-p P] [--top-k K] [--stop-ids 11,...]
//               [--card N] [--cards N]
//
// FOLDER holds safetensors or .bin files; its config.json is not read. Requests are read from standard input or FILE (run_requests.h).

#include <chrono>
#include <fstream>
#include <iostream>

#include "engine/check_request.h"
#include "error.h"
#include "gpu/commands.h"
#include "gpu/forms.h"
#include "gpu/json_line.h"
#include "gpu/run/open_runner.h"
#include "gpu/run/run_requests.h"

namespace eyrie::gpu {

namespace {

std::vector<int32_t> signed_ids(const std::vector<uint32_t>& ids) { return {ids.begin(), ids.end()}; }

const char* reason_name(FinishReason reason) {
  return reason == FinishReason::stop ? "stop" : reason == FinishReason::length ? "length" : "cancelled";
}

void tell(const Outcome& outcome) {
  JsonLine line("result");
  line.add("id", outcome.id);
  if (outcome.failure) {
    line.add("error", code_name(outcome.failure->code)).add("message", outcome.failure->message).write();
    return;
  }
  const Result& r = outcome.result;
  line.add("token_ids", signed_ids(r.token_ids)).add("finish_reason", reason_name(r.finish_reason));
  if (!r.logprobs.empty()) line.add("logprobs", r.logprobs).add("top_ids", signed_ids(r.top_ids)).add("top_logprobs", r.top_logprobs);
  if (!r.prompt_logprobs.empty()) {
    line.add("prompt_logprobs", r.prompt_logprobs)
        .add("prompt_top_ids", signed_ids(r.prompt_top_ids))
        .add("prompt_top_logprobs", r.prompt_top_logprobs);
  }
  line.write();
}

std::vector<NumberedRequest> requests_from(const std::string& input, const Request& common) {
  if (input == "-") return read_requests(std::cin, "standard input", common);
  std::ifstream file(input);
  if (!file) throw Error(ErrorCode::invalid_request, "--input of 'run' is '" + input + "', which cannot be read");
  return read_requests(file, input, common);
}

}  // namespace

int run(Arguments& arguments) {
  EngineOptions engine;
  engine.config = form_from(arguments);
  engine.device = arguments.choice("device", "cuda", {"cuda", "cpu"}) == "cuda" ? DeviceChoice::cuda : DeviceChoice::cpu;
  engine.dtype = dtype_by_name(arguments.choice("dtype", "bfloat16", {"float32", "bfloat16", "int8", "fp8"}));
  engine.isa = resolve_isa(arguments.text("isa", "auto"));
  engine.slots = arguments.number("slots", 16, 1, 1024);
  engine.slot_tokens = arguments.number("slot-tokens", std::min(2048u, engine.config.context_tokens), 1, engine.config.context_tokens);
  engine.prefill_tokens = arguments.number("prefill-tokens", 512, 16, 8192);
  engine.threads = arguments.number("threads", 0, 0, 256);
  engine.stop_token_ids = arguments.numbers("stop-ids", {}, 0, engine.config.vocab_size - 1);
  const uint32_t ordinal = arguments.number("card", 0, 0, 63), cards = arguments.number("cards", 1, 1, 64);
  Request common;
  common.max_tokens = arguments.number("max-tokens", 16, 1, 1u << 20);
  common.temperature = arguments.real("temperature", 0, 0, 100);
  common.top_p = arguments.real("top-p", 1, 0, 1);
  common.top_k = arguments.number("top-k", 0, 0, 1u << 20);
  const std::string input = arguments.text("input", "-");
  engine.model_directory = arguments.word("the folder of a checkpoint");
  arguments.finish();

  const std::vector<NumberedRequest> requests = requests_from(input, common);
  const auto opened = open_runner(std::move(engine), ordinal, cards);
  const BackendInfo& info = opened->runner->backend().info();
  JsonLine("load")
      .add("device", info.kind)
      .add("dtype", dtype_name(info.dtype))
      .add("bytes", opened->file_bytes)
      .add("seconds", opened->load_seconds)
      .add("gb_per_s", static_cast<double>(opened->file_bytes) / 1e9 / opened->load_seconds)
      .write();

  for (const NumberedRequest& line : requests) {
    check_request(line.request, opened->options, info);
    opened->runner->add(std::make_unique<Sequence>(line.id, line.request, opened->options, false));
  }
  const auto started = std::chrono::steady_clock::now();
  bool failed = false;
  run_all(*opened->runner, [&](const Outcome& outcome) {
    tell(outcome);
    failed |= outcome.failure.has_value();
  });
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  const EngineReport& report = opened->runner->report();
  JsonLine("generated")
      .add("requests", static_cast<int64_t>(requests.size()))
      .add("prompt_tokens", report.prompt_tokens)
      .add("generated_tokens", report.generated_tokens)
      .add("decode_steps", report.decode_steps)
      .add("seconds", seconds)
      .write();
  return failed ? 1 : 0;
}

}  // namespace eyrie::gpu
