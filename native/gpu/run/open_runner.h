#pragma once
// A model opened on a device, and the loop around it, without Node: what `run` and `sweep` drive.

#include <memory>
#include <string>

#include "engine/batch_runner.h"
#include "engine/engine_options.h"
#include "threads/thread_pool.h"

namespace eyrie::gpu {

struct RunnerOptions {
  std::string device;  ///< "cuda" or "cpu"
  EngineOptions engine;
};

/// Must not be moved: the runner points into it.
struct OpenRunner {
  EngineOptions options;
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<BatchRunner> runner;
  uint64_t weight_bytes = 0;
  double load_seconds = 0;
};

/// Loads the checkpoint of `options.engine.model_directory`. Throws what the load throws, and unsupported_device.
std::unique_ptr<OpenRunner> open_runner(RunnerOptions options);

}  // namespace eyrie::gpu
