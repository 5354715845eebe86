#pragma once
// Several cards that hold one model together.

#include <cstdint>
#include <memory>

#include "cuda/cuda_backend.h"
#include "cuda/open_cuda.h"

namespace eyrie::cuda {

/// Opens cards [first_card, first_card + cards) for one model and loads it.
std::unique_ptr<Backend> open_ranks(const CudaBackendOptions& options, uint32_t first_card, uint32_t cards, WeightLoad& load);

}  // namespace eyrie::cuda
