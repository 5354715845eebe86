#include "gpu/checks/number_kernels.h"

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/ptx.h"

namespace eyrie::gpu {

namespace {

constexpr int kThreads = 256;

/// By integers, then by the instructions that rows are written with: [2][count] each.
__global__ void round_kernel(const float* values, int64_t count, uint16_t* bf16_bits, uint8_t* e4m3_bits) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const float v = values[i];
  bf16_bits[i] = to_bf16(v).bits;
  e4m3_bits[i] = to_e4m3(v).bits;
  bf16_bits[count + i] = static_cast<uint16_t>(cuda::pack_bf16(0.0f, v) >> 16);
  e4m3_bits[count + i] = static_cast<uint8_t>(cuda::pack_e4m3(0.0f, v, 0.0f, 0.0f) >> 8);
}

__global__ void widen_kernel(float* floats) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < 65536) {
    floats[i] = to_float(bf16{static_cast<uint16_t>(i)});
  } else if (i < 65536 + 256) {
    floats[i] = to_float(e4m3{static_cast<uint8_t>(i - 65536)});
  }
}

}  // namespace

void round_values(cuda::Stream& stream, const float* values, int64_t count, uint16_t* bf16_bits, uint8_t* e4m3_bits) {
  EYRIE_LAUNCH(round_kernel, static_cast<unsigned>((count + kThreads - 1) / kThreads), kThreads, 0, stream, values, count, bf16_bits,
               e4m3_bits);
}

void widen_all(cuda::Stream& stream, float* floats) { EYRIE_LAUNCH(widen_kernel, 257, kThreads, 0, stream, floats); }

}  // namespace eyrie::gpu
