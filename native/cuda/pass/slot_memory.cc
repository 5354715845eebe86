#include "cuda/pass/slot_memory.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr size_t kStagingAlignment = 256;
constexpr size_t kStagingHalfMin = size_t{1} << 20;

size_t aligned(size_t bytes) { return (bytes + kStagingAlignment - 1) / kStagingAlignment * kStagingAlignment; }

/// The most that one open() stages.
size_t staged_bytes_max(const SlotLimits& limits) {
  return aligned(sizeof(SlotSampling)) + aligned(SlotMemory::kBiasesMax * sizeof(LogitBias)) +
         aligned(limits.slot_tokens * sizeof(int32_t));
}

SlotSampling to_slot_sampling(const SamplingParams& params) {
  SlotSampling slot{};
  slot.temperature = params.temperature;
  slot.top_p = params.top_p;
  slot.min_p = params.min_p;
  slot.repetition_penalty = params.repetition_penalty;
  slot.frequency_penalty = params.frequency_penalty;
  slot.presence_penalty = params.presence_penalty;
  slot.top_k = params.top_k;
  slot.biases = static_cast<int32_t>(params.logit_bias.size());
  slot.stop_ids = static_cast<int32_t>(params.stop_ids.size());
  slot.min_tokens = static_cast<uint32_t>(params.min_tokens);
  slot.output_tokens = 0;
  slot.has_penalties = params.has_penalties() ? 1 : 0;
  slot.seed = params.seed;
  slot.request = params.request;
  return slot;
}

}  // namespace

uint64_t SlotMemory::bytes_needed(const SlotLimits& limits) {
  const uint64_t slots = limits.slots;
  return slots * sizeof(int32_t) + slots * limits.vocab * sizeof(uint16_t) + slots * sizeof(SlotSampling) +
         slots * kBiasesMax * sizeof(LogitBias) + limits.stop_ids.size() * sizeof(int32_t) + limits.slot_tokens * sizeof(int32_t);
}

SlotMemory::SlotMemory(const Device& device, Stream& stream, const SlotLimits& limits)
    : limits_(limits),
      drawn_(device.alloc(limits.slots * sizeof(int32_t))),
      counts_(device.alloc(size_t{limits.slots} * limits.vocab * sizeof(uint16_t))),
      sampling_(device.alloc(limits.slots * sizeof(SlotSampling))),
      biases_(device.alloc(size_t{limits.slots} * kBiasesMax * sizeof(LogitBias))),
      stop_ids_(device.alloc(limits.stop_ids.size() * sizeof(int32_t))),
      prompt_(device.alloc(limits.slot_tokens * sizeof(int32_t))),
      half_bytes_(std::max(kStagingHalfMin, staged_bytes_max(limits))),
      copied_{Event(device), Event(device)} {
  staging_ = device.alloc_pinned(2 * half_bytes_);
  states_.slots = static_cast<int>(limits.slots);
  states_.vocab = static_cast<int>(limits.vocab);
  states_.drawn = drawn_.as<int32_t>();
  states_.counts = counts_.as<uint16_t>();
  states_.sampling = sampling_.as<SlotSampling>();
  states_.biases = biases_.as<LogitBias>();
  states_.biases_max = static_cast<int>(kBiasesMax);
  states_.stop_ids = stop_ids_.as<int32_t>();
  states_.stop_ids_max = static_cast<int>(limits.stop_ids.size());
  // Padding rows of a pass name slot 0.
  stream.fill(drawn_.data(), 0, drawn_.size());
  stream.fill(sampling_.data(), 0, sampling_.size());
  if (!limits.stop_ids.empty()) {
    const size_t bytes = limits.stop_ids.size() * sizeof(int32_t);
    std::memcpy(staging_.data(), limits.stop_ids.data(), bytes);
    stream.copy_to_device(stop_ids_.data(), staging_.data(), bytes);
    stream.synchronize();
  }
}

void* SlotMemory::stage(Stream& stream, size_t bytes) {
  if (used_ + aligned(bytes) > half_bytes_) {
    stream.record(copied_[half_]);
    half_ = 1 - half_;
    used_ = 0;
    copied_[half_].synchronize();
  }
  void* const memory = staging_.as<std::byte>() + static_cast<size_t>(half_) * half_bytes_ + used_;
  used_ += aligned(bytes);
  return memory;
}

void SlotMemory::check(const SamplingParams& sampling) const {
  if (sampling.logit_bias.size() > kBiasesMax) {
    throw Error(ErrorCode::internal_error, "a sequence has " + std::to_string(sampling.logit_bias.size()) + " logit biases, at most " +
                                               std::to_string(kBiasesMax) + " were announced");
  }
  if (!sampling.stop_ids.empty() && sampling.stop_ids != limits_.stop_ids) {
    throw Error(ErrorCode::internal_error, "a sequence has stop ids other than those that the model was opened with");
  }
}

void SlotMemory::open(Stream& stream, uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt) {
  check(sampling);
  auto* const parameters = static_cast<SlotSampling*>(stage(stream, sizeof(SlotSampling)));
  *parameters = to_slot_sampling(sampling);
  stream.copy_to_device(states_.sampling + slot, parameters, sizeof(SlotSampling));
  if (!sampling.logit_bias.empty()) {
    const size_t bytes = sampling.logit_bias.size() * sizeof(LogitBias);
    void* const biases = stage(stream, bytes);
    std::memcpy(biases, sampling.logit_bias.data(), bytes);
    stream.copy_to_device(states_.biases + size_t{slot} * kBiasesMax, biases, bytes);
  }
  if (!sampling.has_penalties()) return;
  static_assert(sizeof(uint32_t) == sizeof(int32_t));
  void* const ids = stage(stream, prompt.size_bytes());
  std::memcpy(ids, prompt.data(), prompt.size_bytes());
  stream.copy_to_device(prompt_.data(), ids, prompt.size_bytes());
  set_history(stream, states_, static_cast<int>(slot), prompt_.as<int32_t>(), static_cast<int>(prompt.size()));
}

}  // namespace eyrie::cuda
