#pragma once

#include "cuda/device.h"

namespace eyrie::gpu {

struct MemoryRates {
  double read_gbs = 0;          ///< card memory, read by kernels
  double host_to_card_gbs = 0;  ///< pinned memory of the host to the card
};

/// `bytes` must be much larger than the card's cache.
MemoryRates measure_memory(cuda::Device& device, cuda::Stream& stream, int64_t bytes);

}  // namespace eyrie::gpu
