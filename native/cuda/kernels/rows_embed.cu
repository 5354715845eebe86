// From tokens to the residual stream. A row is read once as bf16 and written once as float32.

#include "cuda/kernels/rows.h"
#include "cuda/kernels/rows_device.h"
#include "engine/backend.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreads = 256;

template <bool kWhole>
__global__ void __launch_bounds__(kThreads)
    embed_kernel(PassRows pass, const int32_t* drawn, const bf16* embedding, int hidden, float* residual) {
  const int row = static_cast<int>(blockIdx.x);
  int32_t token = pass.tokens[row];
  const bool padding = pass.positions[row] < 0;
  if (token == kDrawn && !padding) token = drawn[pass.slots[row]];
  float* out = residual + static_cast<int64_t>(row) * hidden;
  const bf16* in = embedding + static_cast<int64_t>(token) * hidden;
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < hidden; at += static_cast<int64_t>(blockDim.x) * kEight) {
    float v[kEight] = {};
    // A slot that drew nothing has no token: zeros, rather than what lies before the table.
    if (!padding && token >= 0) widen(load_eight<kWhole>(in, at, hidden), v);
    store_eight<kWhole>(out, at, hidden, v);
  }
}

}  // namespace

void embed(Stream& stream, const PassRows& pass, const int32_t* drawn, const bf16* embedding, int hidden, float* residual) {
  if (pass.rows == 0) return;
  const int eights = (hidden + kEight - 1) / kEight;
  const auto kernel = in_eights(hidden) ? embed_kernel<true> : embed_kernel<false>;
  EYRIE_LAUNCH(kernel, pass.rows, row_threads(eights < kThreads ? eights : kThreads, 1), 0, stream, pass, drawn, embedding, hidden,
               residual);
}

}  // namespace eyrie::cuda
