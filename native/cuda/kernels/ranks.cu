// One thread per eight values: bound by memory, or by the link to the other cards.

#include "cuda/kernels/ranks.h"
#include "cuda/kernels/rows_device.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreads = 256;

__device__ __forceinline__ int64_t eight_of_thread() {
  return (static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int64_t>(threadIdx.x)) * kEight;
}

__global__ void __launch_bounds__(kThreads) add_partials_kernel(bf16* a, const bf16* b, int64_t count) {
  const int64_t at = eight_of_thread();
  if (at >= count) return;
  float sum[kEight], v[kEight];
  widen(load_eight<true>(a, at, count), sum);
  widen(load_eight<true>(b, at, count), v);
  for (int i = 0; i < kEight; ++i) sum[i] += v[i];
  store_eight<true>(a, at, count, narrow(sum));
}

__global__ void __launch_bounds__(kThreads) sum_ranks_kernel(RankSources sources, int ranks, int64_t count, bf16* out) {
  const int64_t at = eight_of_thread();
  if (at >= count) return;
  float sum[kEight], v[kEight];
  widen(load_eight<true>(sources.of[0], at, count), sum);
  // Unrolled, so that the addresses stay in constant memory.
#pragma unroll
  for (int rank = 1; rank < kRanksMax; ++rank) {
    if (rank >= ranks) break;
    widen(load_eight<true>(sources.of[rank], at, count), v);
    for (int i = 0; i < kEight; ++i) sum[i] += v[i];
  }
  store_eight<true>(out, at, count, narrow(sum));
}

int blocks_for(int64_t count) { return static_cast<int>((count / kEight + kThreads - 1) / kThreads); }

}  // namespace

void add_partials(Stream& stream, bf16* a, const bf16* b, int64_t count) {
  EYRIE_LAUNCH(add_partials_kernel, blocks_for(count), kThreads, 0, stream, a, b, count);
}

void sum_ranks(Stream& stream, const RankSources& sources, int ranks, int64_t count, bf16* out) {
  EYRIE_LAUNCH(sum_ranks_kernel, blocks_for(count), kThreads, 0, stream, sources, ranks, count, out);
}

}  // namespace eyrie::cuda
