#include <string>

#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention/pages.h"
#include "cuda/kernels/launch.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreads = 256;

/// One page of one KV head in one layer: the keys of its first positions, then the values, each contiguous.
__global__ void __launch_bounds__(kThreads) copy_page(PagedCache cache, int from, int to, int tokens) {
  const int index = static_cast<int>(blockIdx.x), kv_head = static_cast<int>(blockIdx.y), layer = static_cast<int>(blockIdx.z);
  const int from_page = attention::page_number(cache, from, index), to_page = attention::page_number(cache, to, index);
  if (from_page < 0 || to_page < 0 || from_page == to_page) return;
  const int positions = ::min(tokens - index * kPageTokens, kPageTokens);
  const int vectors = positions * cache.head_dim / 8, values_at = kPageTokens * cache.head_dim / 8;  // of 16 bytes
  const auto* source = reinterpret_cast<const uint4*>(attention::page_keys(cache, layer, from_page, kv_head));
  auto* target = reinterpret_cast<uint4*>(attention::page_keys(cache, layer, to_page, kv_head));
#pragma unroll 2  // more at once spills on sm_80
  for (int i = static_cast<int>(threadIdx.x); i < vectors; i += kThreads) {
    target[i] = source[i];
    target[values_at + i] = source[values_at + i];
  }
}

}  // namespace

void copy_prefix(Stream& stream, const PagedCache& cache, int layers, int from, int to, int tokens) {
  if (tokens < 0 || tokens > cache.pages_per_slot * kPageTokens) {
    throw Error(ErrorCode::internal_error, "copy of a prefix on the card: " + std::to_string(tokens) + " tokens; a slot has room for " +
                                               std::to_string(cache.pages_per_slot * kPageTokens));
  }
  if (tokens == 0 || layers == 0 || from == to) return;
  const dim3 grid(static_cast<unsigned>((tokens + kPageTokens - 1) / kPageTokens), static_cast<unsigned>(cache.kv_heads),
                  static_cast<unsigned>(layers));
  EYRIE_LAUNCH(copy_page, grid, kThreads, 0, stream, cache, from, to, tokens);
}

}  // namespace eyrie::cuda
