#include "engine/open_backend.h"

#include "cpu/backend/cpu_backend.h"
#include "cpu/backend/cpu_weight_sink.h"
#include "cpu/backend/memory_plan.h"
#include "engine/batch_runner.h"
#include "engine/cuda_library.h"
#include "error.h"
#include "model/available_memory.h"

namespace eyrie {

namespace {

class CheckpointLoad final : public WeightLoad {
 public:
  CheckpointLoad(const EngineOptions& options, const LoadProgress& on_progress, const std::atomic<bool>& cancelled)
      : options_(options), on_progress_(on_progress), cancelled_(cancelled) {}
  void load(WeightSink& sink) override {
    begun_ = true;
    load_falcon(options_.model_directory, options_.config, sink, on_progress_, cancelled_);
  }
  bool begun() const { return begun_; }

 private:
  const EngineOptions& options_;
  const LoadProgress& on_progress_;
  const std::atomic<bool>& cancelled_;
  bool begun_ = false;
};

BatchShape batch_shape(uint32_t slots, uint32_t slot_tokens, uint32_t prefill_tokens) {
  return {slots, slot_tokens, pass_rows_max(slots, prefill_tokens), head_rows_max(slots)};
}

std::unique_ptr<Backend> open_cpu(const EngineOptions& options, ThreadPool& pool, const LoadProgress& on_progress,
                                  const std::atomic<bool>& cancelled) {
  if (options.dtype == DType::fp8) {
    throw Error(ErrorCode::invalid_request, "dtype fp8 needs a card (--device cuda); on the CPU choose bfloat16, int8 or float32");
  }
  const BatchShape shape = batch_shape(options.slots, options.slot_tokens, options.prefill_tokens);
  check_memory(plan_memory(options.config, options.dtype, shape.slots, shape.slot_tokens, shape.rows_max, shape.head_rows_max),
               available_memory());
  const Compute compute = make_compute(pool, options.isa);
  auto weights = load_cpu_weights(options.model_directory, options.config, options.dtype, compute, on_progress, cancelled);
  return std::make_unique<CpuBackend>(options.config, options.dtype, std::move(weights), compute, shape);
}

std::unique_ptr<Backend> open_cuda(const EngineOptions& options, CheckpointLoad& load) {
  if (options.dtype == DType::float32) {
    throw Error(ErrorCode::unsupported_device, "dtype float32 needs the CPU (--device cpu); on a card choose bfloat16, fp8 or int8");
  }
  const BatchShape shape = batch_shape(options.cuda.slots, options.slot_tokens, options.cuda.prefill_tokens);
  CudaOpenOptions cuda;
  cuda.config = options.config;
  cuda.dtype = options.dtype;
  cuda.slots = shape.slots;
  cuda.slot_tokens = shape.slot_tokens;
  cuda.rows_max = shape.rows_max;
  cuda.kv_pages = options.cuda.kv_pages;
  cuda.cards = options.cuda.cards;
  cuda.keep_dense = options.cuda.keep_dense;
  cuda.keep_down = options.cuda.keep_down;
  cuda.stop_token_ids = options.stop_token_ids;
  return CudaLibrary(options.cuda.library).open(cuda, load);
}

/// A card that cannot be had or cannot hold the model; once weights are read, a failure is one. Who asks for several cards wants no CPU.
bool leaves_the_cpu(const Error& error, const EngineOptions& options, const CheckpointLoad& load) {
  return options.cuda.cards <= 1 && !load.begun() &&
         (error.code() == ErrorCode::unsupported_device || error.code() == ErrorCode::out_of_memory);
}

}  // namespace

OpenedBackend open_backend(const EngineOptions& options, ThreadPool& pool, const LoadProgress& on_progress,
                           const std::atomic<bool>& cancelled) {
  OpenedBackend opened;
  if (options.device != DeviceChoice::cpu) {
    CheckpointLoad load(options, on_progress, cancelled);
    try {
      opened.backend = open_cuda(options, load);
      return opened;
    } catch (const Error& error) {
      if (options.device == DeviceChoice::cuda || !leaves_the_cpu(error, options, load)) throw;
      opened.why_cpu = error.what();
    }
    if (options.dtype == DType::fp8) {
      throw Error(ErrorCode::unsupported_device, "dtype fp8 needs a card, and none can be used: " + opened.why_cpu);
    }
  }
  opened.backend = open_cpu(options, pool, on_progress, cancelled);
  return opened;
}

}  // namespace eyrie
