#pragma once
// Chooses the device of an engine and loads the model onto it.

#include <atomic>
#include <memory>
#include <string>

#include "engine/backend.h"
#include "engine/engine_options.h"
#include "model/load_falcon.h"
#include "threads/thread_pool.h"

namespace eyrie {

struct OpenedBackend {
  std::unique_ptr<Backend> backend;
  std::string why_cpu;  ///< as in EngineInfo
};

/// A choice that is left to the engine falls on the CPU when there is no library, driver or card, or the card cannot hold or does not
/// support the model: that is known before the first weight is read. Throws what load_falcon() and eyrie_open_cuda() throw.
OpenedBackend open_backend(const EngineOptions& options, ThreadPool& pool, const LoadProgress& on_progress,
                           const std::atomic<bool>& cancelled);

}  // namespace eyrie
