#pragma once
// From positions to addresses in the paged cache.

#include <cstdint>

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/pass.h"

namespace eyrie::cuda::attention {

/// The number of the page that holds positions [256 * index, 256 * index + 256) of the slot; -1 when it has none, or a number that no
/// page has: such a page is neither read nor written.
__device__ __forceinline__ int page_number(const PagedCache& cache, int slot, int index) {
  if (slot < 0 || index >= cache.pages_per_slot) return -1;
  const int page = cache.page_table[static_cast<int64_t>(slot) * cache.pages_per_slot + index];
  return page < cache.pages ? page : -1;
}

/// The keys of one head in a page, [kPageTokens][head_dim]; its values follow them. Page -1 gives the address of page 0: for copies that
/// fill with zeros and do not read.
__device__ __forceinline__ bf16* page_keys(const PagedCache& cache, int layer, int page, int kv_head) {
  const int64_t at = layer * cache.layer_values() + (page < 0 ? 0 : page) * cache.page_values();
  return static_cast<bf16*>(cache.memory) + at + static_cast<int64_t>(kv_head) * 2 * kPageTokens * cache.head_dim;
}

}  // namespace eyrie::cuda::attention
