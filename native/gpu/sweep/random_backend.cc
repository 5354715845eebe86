#include "gpu/sweep/random_backend.h"

#include "cuda/cuda_backend.h"
#include "cuda/device.h"

namespace eyrie::gpu {

std::unique_ptr<Backend> open_random_backend(int ordinal, const RandomModel& model) {
  cuda::CudaBackendOptions options;
  options.config = model.config;
  options.format = model.dtype == DType::bfloat16 ? cuda::RowFormat::bf16
                   : model.dtype == DType::int8   ? cuda::RowFormat::int8
                                                  : cuda::RowFormat::e4m3;
  options.slots = model.slots;
  options.slot_tokens = model.slot_tokens;
  options.rows_max = model.rows_max;
  auto backend = std::make_unique<cuda::CudaBackend>(std::make_shared<cuda::Device>(ordinal), options);
  backend->weights().fill_random(backend->stream(), model.seed);
  backend->stream().synchronize();
  return backend;
}

}  // namespace eyrie::gpu
