// eyrie_gpu sweep [--form 40b ... (forms.h)] [--dtype fp8|bfloat16|int8] [--batch 64,128,...] [--context 512,1024] [--steps N]
//                 [--prefill-rows N] [--lines N] [--prompt-tokens N] [--output-tokens N] [--seed N] [--device N]
//
// Random weights. First the limits of the card, then a table of decode steps, then `lines` requests through the whole engine.

#include <algorithm>

#include "error.h"
#include "gpu/commands.h"
#include "gpu/forms.h"
#include "gpu/json_line.h"
#include "gpu/lab/memory_rates.h"
#include "gpu/lab/product_lab.h"
#include "gpu/run/open_runner.h"
#include "gpu/sweep/decode_cost.h"
#include "gpu/sweep/decode_sweep.h"
#include "gpu/sweep/offline.h"
#include "gpu/sweep/random_backend.h"

namespace eyrie::gpu {

namespace {

struct SweepPlan {
  FalconConfig config;
  std::string dtype;
  std::vector<uint32_t> batches, contexts;
  uint32_t steps, prefill_rows, lines, prompt_tokens, output_tokens, seed;
  int ordinal;
  int64_t megabytes;
};

SweepPlan read_plan(Arguments& arguments) {
  SweepPlan plan;
  plan.config = form_from(arguments);
  plan.dtype = arguments.choice("dtype", "fp8", {"bfloat16", "fp8", "int8"});
  plan.batches = arguments.numbers("batch", {64, 128, 146, 192, 256, 320}, 1, 1024);
  plan.contexts = arguments.numbers("context", {512, 1024}, 1, plan.config.context_tokens);
  plan.steps = arguments.number("steps", 40, 1, 100'000);
  plan.prefill_rows = arguments.number("prefill-rows", 512, 16, 8192);
  plan.lines = arguments.number("lines", 512, 0, 65'536);
  plan.prompt_tokens = arguments.number("prompt-tokens", 300, 1, plan.config.context_tokens);
  plan.output_tokens = arguments.number("output-tokens", 300, 1, plan.config.context_tokens);
  plan.seed = arguments.number("seed", 1, 0, UINT32_MAX);
  plan.ordinal = static_cast<int>(arguments.number("device", 0, 0, 63));
  plan.megabytes = arguments.number("megabytes", 4096, 1, 65'536);
  arguments.finish();
  return plan;
}

DecodePlan decode_plan(const SweepPlan& plan, uint32_t batch, uint32_t context) {
  return {.rows = batch,
          .context = context,
          .steps = plan.steps,
          .vocab = plan.config.vocab_size,
          .prefill_rows = plan.prefill_rows,
          .seed = plan.seed};
}

/// On a device of its own that is closed again, so that the backend finds the memory free.
CardLimits measure_limits(const SweepPlan& plan) {
  cuda::Device device(plan.ordinal);
  cuda::Stream stream(device);
  const ProductShape up{"up", plan.config.ffn_size, plan.config.hidden_size};
  CardLimits limits;
  limits.read_gbs = measure_memory(device, stream, plan.megabytes << 20).read_gbs;
  limits.bf16_tflops = product_tflops(device, stream, up, "bf16");
  limits.layer_tflops = plan.dtype == "bfloat16" ? limits.bf16_tflops : product_tflops(device, stream, up, plan.dtype);
  JsonLine("limits")
      .add("read_gb_per_s", limits.read_gbs)
      .add("dtype", plan.dtype)
      .add("layer_tflops", limits.layer_tflops)
      .add("bf16_tflops", limits.bf16_tflops)
      .write();
  return limits;
}

void tell_decode(const SweepPlan& plan, const CardLimits& limits, Backend& backend, uint32_t batch, uint32_t context) {
  JsonLine line("decode");
  line.add("layers", plan.config.layers).add("dtype", plan.dtype).add("batch", batch).add("context", context);
  try {
    const DecodeTimes times = measure_decode(backend, decode_plan(plan, batch, context));
    const double roofline = roofline_ms(decode_cost(plan.config, plan.dtype == "bfloat16" ? 2 : 1, batch, times.mean_context), limits);
    line.add("step_ms", times.step_ms).add("tokens_per_s", batch / times.step_ms * 1e3).add("roofline_ms", roofline);
    if (roofline > 0) line.add("of_roofline", roofline / times.step_ms);
  } catch (const Error& error) {
    // Too little room for this size is a finding; the others may fit.
    if (error.code() != ErrorCode::out_of_memory) throw;
    line.add("error", code_name(error.code())).add("message", error.what());
  }
  line.write();
}

/// What the engine is told of the model; the backend is opened with the same.
EngineOptions engine_options(const SweepPlan& plan) {
  const uint32_t context_max = *std::max_element(plan.contexts.begin(), plan.contexts.end());
  EngineOptions options;
  options.config = plan.config;
  options.device = DeviceChoice::cuda;
  options.dtype = dtype_by_name(plan.dtype);
  options.slots = *std::max_element(plan.batches.begin(), plan.batches.end());
  options.slot_tokens = std::max(decode_positions(decode_plan(plan, 1, context_max)), plan.prompt_tokens + plan.output_tokens);
  options.prefill_tokens = plan.prefill_rows;
  return options;
}

/// What loaded kernels and graphs leave of the plan's reserve shows here.
void tell_memory(const SweepPlan& plan, const char* when) {
  JsonLine("memory").add("when", when).add("free_bytes", uint64_t{cuda::Device(plan.ordinal).free_bytes()}).write();
}

void tell_offline(const SweepPlan& plan, std::unique_ptr<Backend> backend) {
  const OfflineTimes times =
      measure_offline(std::move(backend), engine_options(plan),
                      {.lines = plan.lines, .prompt_tokens = plan.prompt_tokens, .output_tokens = plan.output_tokens, .seed = plan.seed});
  JsonLine("offline")
      .add("layers", plan.config.layers)
      .add("dtype", plan.dtype)
      .add("lines", plan.lines)
      .add("prompt_tokens", plan.prompt_tokens)
      .add("output_tokens", plan.output_tokens)
      .add("seconds", times.seconds)
      .add("output_tokens_per_s", static_cast<double>(times.output_tokens) / times.seconds)
      .write();
}

}  // namespace

int sweep(Arguments& arguments) {
  const SweepPlan plan = read_plan(arguments);
  const EngineOptions options = engine_options(plan);
  const CardLimits limits = measure_limits(plan);
  std::unique_ptr<Backend> backend = open_random_backend(plan.ordinal, {.config = plan.config,
                                                                        .dtype = options.dtype,
                                                                        .slots = options.slots,
                                                                        .slot_tokens = options.slot_tokens,
                                                                        .rows_max = pass_rows_max(options.slots, options.prefill_tokens),
                                                                        .seed = plan.seed});
  JsonLine("model")
      .add("layers", plan.config.layers)
      .add("dtype", plan.dtype)
      .add("weight_bytes", backend->info().weight_bytes)
      .add("kv_pages", backend->info().kv_pages)
      .add("slots", options.slots)
      .write();
  tell_memory(plan, "opened");
  for (const uint32_t context : plan.contexts) {
    for (const uint32_t batch : plan.batches) tell_decode(plan, limits, *backend, batch, context);
  }
  tell_memory(plan, "decoded");
  if (plan.lines > 0) tell_offline(plan, std::move(backend));
  return 0;
}

}  // namespace eyrie::gpu
