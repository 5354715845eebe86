#include "gpu/sweep/random_backend.h"

#include <chrono>

#include "cuda/cuda_backend.h"
#include "cuda/device.h"
#include "gpu/json_line.h"

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
  const auto device = std::make_shared<cuda::Device>(ordinal);
  const auto seconds_since = [](auto start) { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  const auto started = std::chrono::steady_clock::now();
  auto backend = std::make_unique<cuda::CudaBackend>(device, options);
  const double open_seconds = seconds_since(started);
  const auto opened = std::chrono::steady_clock::now();
  backend->weights().fill_random(backend->stream(), model.seed);
  backend->stream().synchronize();
  for (const std::string& line : backend->gemm().report()) JsonLine("choice").add("told", line).write();
  JsonLine("opened").add("open_seconds", open_seconds).add("weight_seconds", seconds_since(opened)).write();
  return backend;
}

}  // namespace eyrie::gpu
