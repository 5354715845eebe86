#include "gpu/checks/tile_kernels.h"

#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"

namespace eyrie::gpu {

namespace {

// a: 16 rows of k, then b. Rows are 8 values longer than needed: eight rows' pieces then lie in different banks.
constexpr int kPad = 8;

__global__ void tile_kernel(const bf16* a, const bf16* b, bool b_is_k_by_n, int k, float* c) {
  bf16* as = cuda::shared_memory<bf16>();
  const int stride = k + kPad;
  bf16* bs = as + 16 * stride;
  const int lane = static_cast<int>(threadIdx.x);
  const int pieces = k / 8;  // of 16 bytes, per row of a
  for (int i = lane; i < 16 * pieces; i += 32) cuda::cp_async_16(as + i / pieces * stride + i % pieces * 8, a + i * 8, true);
  if (b_is_k_by_n) {
    for (int i = lane; i < k; i += 32) cuda::cp_async_16(bs + i * (8 + kPad), b + i * 8, true);
  } else {
    for (int i = lane; i < 8 * pieces; i += 32) cuda::cp_async_16(bs + i / pieces * stride + i % pieces * 8, b + i * 8, true);
  }
  cuda::cp_async_commit();
  cuda::cp_async_wait<0>();
  __syncwarp();

  float sums[4] = {0.0f, 0.0f, 0.0f, 0.0f};
  for (int at = 0; at < k; at += 16) {
    // Matrices of a: upper and lower eight rows of the left, then of the right eight columns.
    uint32_t fragment_a[4], fragment_b[2];
    cuda::ldmatrix_x4(fragment_a, as + (lane % 8 + lane / 8 % 2 * 8) * stride + at + lane / 16 * 8);
    if (b_is_k_by_n) {
      cuda::ldmatrix_x2_trans(fragment_b, bs + (at + lane % 16) * (8 + kPad));
    } else {
      cuda::ldmatrix_x2(fragment_b, bs + lane % 8 * stride + at + lane / 8 % 2 * 8);
    }
    cuda::mma_m16n8k16_bf16(sums, fragment_a, fragment_b);
  }
  const int row = lane / 4, column = lane % 4 * 2;
  c[row * 8 + column] = sums[0];
  c[row * 8 + column + 1] = sums[1];
  c[(row + 8) * 8 + column] = sums[2];
  c[(row + 8) * 8 + column + 1] = sums[3];
}

}  // namespace

void multiply_tile(cuda::Stream& stream, const bf16* a, const bf16* b, bool b_is_k_by_n, int k, float* c) {
  const size_t rows_of_k = static_cast<size_t>(b_is_k_by_n ? 16 : 24) * static_cast<size_t>(k + kPad);
  const size_t rows_of_8 = b_is_k_by_n ? static_cast<size_t>(k) * (8 + kPad) : 0;
  EYRIE_LAUNCH(tile_kernel, 1, 32, (rows_of_k + rows_of_8) * sizeof(bf16), stream, a, b, b_is_k_by_n, k, c);
}

}  // namespace eyrie::gpu
