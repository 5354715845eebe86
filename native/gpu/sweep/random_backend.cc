#include "gpu/sweep/random_backend.h"

#include "error.h"

namespace eyrie::gpu {

std::unique_ptr<Backend> open_random_backend(int, const RandomModel&) {
  throw Error(ErrorCode::unsupported_device, "'sweep' needs the CUDA backend, which this build does not have yet");
}

}  // namespace eyrie::gpu
