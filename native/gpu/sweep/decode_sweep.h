#pragma once
// Times of decode steps through a backend as the engine drives it: one pass ahead, every row draws.

#include <cstdint>

#include "engine/backend.h"

namespace eyrie::gpu {

struct DecodePlan {
  uint32_t rows = 0;     ///< sequences, in slots [0, rows)
  uint32_t context = 0;  ///< tokens that each has before the first step
  uint32_t steps = 0;    ///< timed ones
  uint32_t vocab = 0;
  uint32_t prefill_rows = 0;  ///< prompt rows per pass
  uint64_t seed = 0;
};

struct DecodeTimes {
  double step_ms = 0;
  double mean_context = 0;  ///< tokens that a row attended to in the timed steps, on average
};

/// Positions per sequence that measure_decode() uses.
uint32_t decode_positions(const DecodePlan& plan);

/// Slots must be free, and are when it returns. The sequences have the same prompt (computed once and copied) and part ways by their
/// seeds. Throws out_of_memory, before anything is done, where the pages do not suffice.
DecodeTimes measure_decode(Backend& backend, const DecodePlan& plan);

}  // namespace eyrie::gpu
