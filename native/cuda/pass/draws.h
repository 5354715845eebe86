#pragma once
// draw() and collect() of the backend: rows and grammars go to the card in one copy, results come back in one, with an event.

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/sampler.h"
#include "engine/backend.h"

namespace eyrie::cuda {

struct DrawLimits {
  uint32_t rows_max = 0;       ///< rows of one draw()
  uint32_t head_rows_max = 0;  ///< rows that have logits at a time
  uint32_t slots = 0;
  uint32_t vocab = 0;
};

class Draws {
 public:
  Draws(const Device& device, const DrawLimits& limits);
  static uint64_t bytes_needed(const DrawLimits& limits);

  /// Starts it. `logits` [head_rows_max, V] hold the first rows of the pass; `next_logits(first)` starts what fills them with the rows
  /// from `first` on.
  void start(Stream& stream, std::span<const HeadRow> rows, float* logits, const SlotStates& states,
             const std::function<void(uint32_t first)>& next_logits);
  /// Waits for the oldest one that was started.
  std::span<const HeadResult> collect();

 private:
  /// One draw under way.
  struct Flight {
    PinnedBuffer staging;  // [rows_max] SampleRow, then the bitmaps
    PinnedBuffer results;  // [rows_max] SampleResult
    Event done;
    uint32_t rows = 0;
  };

  /// Lays out the rows; returns the bytes to copy.
  size_t compose(Flight& flight, std::span<const HeadRow> rows) const;

  DrawLimits limits_;
  DeviceBuffer block_;  // as Flight::staging
  DeviceBuffer results_;
  DeviceBuffer scratch_;
  std::array<Flight, 2> flights_;
  uint64_t started_ = 0;
  uint64_t collected_ = 0;
  std::vector<HeadResult> told_;
};

}  // namespace eyrie::cuda
