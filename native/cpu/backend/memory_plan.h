#pragma once
// How much memory an engine will hold, known before anything is read.

#include <cstdint>

#include "model/falcon_config.h"
#include "numbers/dtype.h"

namespace eyrie {

struct MemoryPlan {
  uint64_t weights = 0;
  uint64_t kv_cache = 0;
  /// Activations, logits and the ring that files are read through; scratch of the kernels comes on top (some percent).
  uint64_t buffers = 0;

  uint64_t total() const { return weights + kv_cache + buffers; }
};

MemoryPlan plan_memory(const FalconConfig& config, DType dtype, uint32_t slots, uint32_t slot_tokens, uint32_t rows_max,
                       uint32_t head_rows_max);

/// Throws out_of_memory saying what is needed and what is free when the plan exceeds `available` bytes. Caches are touched only as
/// they fill: without this check an engine would open, and the kernel would kill the process hours later.
void check_memory(const MemoryPlan& plan, uint64_t available);

}  // namespace eyrie
