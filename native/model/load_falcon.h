#pragma once
// From files to the weights of a backend. Threads read blocks into a small ring while others pack what was read, or a card copies it, so the
// model is never in memory twice: beside the backend's weights there are load_ring_bytes() of host memory.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "model/falcon_config.h"
#include "model/weight_sink.h"

namespace eyrie {

/// Of a block of the ring; more where 32 rows of a matrix need more.
inline constexpr uint64_t kLoadBlockBytes = 32u << 20;
/// Blocks beside those that are being read: one that is worked on, two that wait for it.
inline constexpr int kLoadBlocksAhead = 3;

constexpr uint64_t load_ring_bytes(int readers) { return kLoadBlockBytes * static_cast<uint64_t>(readers + kLoadBlocksAhead); }

/// Called on the loading thread with ascending `bytes_done`, the last time with bytes_done == bytes_total.
using LoadProgress = std::function<void(uint64_t bytes_done, uint64_t bytes_total)>;

/// Fills `sink` and finishes it. `cancelled` may be set from any thread; the load then ends with engine_closed within one block.
/// Throws model_unreadable and model_invalid (also for NaN or infinite weights), invalid_request, engine_closed, and what the sink throws.
/// `block_bytes` is for tests, whose checkpoints are small.
void load_falcon(const std::string& directory, const FalconConfig& config, WeightSink& sink, const LoadProgress& on_progress,
                 const std::atomic<bool>& cancelled, uint64_t block_bytes = kLoadBlockBytes);

}  // namespace eyrie
