#pragma once
// A model opened on a device, and the loop around it, without Node: what `run` and `sweep` drive.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/batch_runner.h"
#include "engine/engine_options.h"
#include "threads/thread_pool.h"

namespace eyrie::gpu {

/// "float32", "bfloat16", "int8" or "fp8".
DType dtype_by_name(const std::string& name);

/// Must not be moved: the runner points into it.
struct OpenRunner {
  EngineOptions options;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<BatchRunner> runner;
  uint64_t file_bytes = 0;  ///< of the checkpoint's tensors
  double load_seconds = 0;  ///< for them alone
};

/// Loads the checkpoint of `options.model_directory` onto `options.device`, which is cpu or cuda: then onto card `ordinal`, through the
/// function that the addon calls, too. Slots and rows of a pass are those of the CPU's options for both. Throws what the load throws.
std::unique_ptr<OpenRunner> open_runner(EngineOptions options, uint32_t ordinal, uint32_t cards);

/// A backend that is open already. `options.slots` and what else it was opened with must be its own.
std::unique_ptr<OpenRunner> runner_over(EngineOptions options, std::unique_ptr<Backend> backend);

/// Runs until nothing is left, and hands over what ended after each pass.
void run_all(BatchRunner& runner, const std::function<void(const Outcome&)>& on_outcome);

}  // namespace eyrie::gpu
