#include "cuda/rank_backend.h"

#include "error.h"

namespace eyrie::cuda {

std::unique_ptr<Backend> open_ranks(const CudaBackendOptions&, uint32_t, uint32_t cards, WeightLoad&) {
  throw Error(ErrorCode::unsupported_device, "cards is " + std::to_string(cards) + ", must be 1");
}

}  // namespace eyrie::cuda
