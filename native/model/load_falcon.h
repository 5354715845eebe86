#pragma once
// From files to packed weights. One thread reads blocks into a small ring while the others pack them, so the model is never in
// memory twice: beside the packed weights there are kLoadBufferBytes * kLoadBuffers bytes.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "cpu/backend/falcon_weights.h"
#include "cpu/compute.h"
#include "model/falcon_config.h"

namespace eyrie {

inline constexpr uint64_t kLoadBufferBytes = 32u << 20;
inline constexpr int kLoadBuffers = 4;

/// Called on the loading thread with ascending `bytes_done`, the last time with bytes_done == bytes_total.
using LoadProgress = std::function<void(uint64_t bytes_done, uint64_t bytes_total)>;

/// `cancelled` may be set from any thread; the load then ends with engine_closed within one block.
/// Throws model_unreadable and model_invalid (also for NaN or infinite weights), out_of_memory, engine_closed.
std::unique_ptr<FalconWeights> load_falcon(const std::string& directory, const FalconConfig& config, DType dtype, const Compute& compute,
                                           const LoadProgress& on_progress, const std::atomic<bool>& cancelled);

}  // namespace eyrie
