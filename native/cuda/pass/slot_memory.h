#pragma once
// What the card knows of each slot beside its keys and values: sampling parameters, the latest token, which tokens were seen.

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/sampler.h"
#include "sampling/sampling_params.h"

namespace eyrie::cuda {

struct SlotLimits {
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;
  uint32_t vocab = 0;
  std::vector<int32_t> stop_ids;  ///< what min_tokens masks, the same for all slots that have any
};

class SlotMemory {
 public:
  /// Biases that one sequence may have.
  static constexpr uint32_t kBiasesMax = 1024;

  SlotMemory(const Device& device, Stream& stream, const SlotLimits& limits);
  static uint64_t bytes_needed(const SlotLimits& limits);

  /// Starts the copies for a sequence that enters `slot`.
  void open(Stream& stream, uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt);
  const SlotStates& states() const { return states_; }

 private:
  /// Pinned memory from which copies are made, in two halves: one is filled while those of the other are under way.
  void* stage(Stream& stream, size_t bytes);
  void check(const SamplingParams& sampling) const;

  SlotLimits limits_;
  SlotStates states_;
  DeviceBuffer drawn_, counts_, sampling_, biases_, stop_ids_;
  DeviceBuffer prompt_;  // [slot_tokens] of the sequence that is being opened
  PinnedBuffer staging_;
  size_t half_bytes_ = 0;
  size_t used_ = 0;  // of the half in use
  int half_ = 0;
  Event copied_[2];
};

}  // namespace eyrie::cuda
