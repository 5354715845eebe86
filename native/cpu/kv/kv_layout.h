#pragma once
// Index arithmetic of the layouts described in kv_cache.h, inside one block of 32 positions of one head.

#include <cstdint>

#include "cpu/kv/kv_cache.h"
#include "numbers/bfloat16.h"

namespace eyrie {

/// head_dim as stored: rounded up to 32, the surplus always zero.
EYRIE_INLINE int64_t stored_head_dim(int64_t head_dim) { return (head_dim + 31) / 32 * 32; }

/// Elements of one block of one head, keys or values.
EYRIE_INLINE int64_t kv_block_elements(int64_t stored_dim) { return kKvBlock * stored_dim; }

EYRIE_INLINE int64_t key_index_bf16(int64_t stored_dim, int64_t key, int64_t dim) {
  return key / 16 * 16 * stored_dim + dim / 2 * 32 + key % 16 * 2 + dim % 2;
}
EYRIE_INLINE int64_t value_index_bf16(int64_t key, int64_t dim) { return dim / 16 * 512 + key / 2 * 32 + dim % 16 * 2 + key % 2; }
EYRIE_INLINE int64_t key_index_float(int64_t stored_dim, int64_t key, int64_t dim) { return (key / 16 * stored_dim + dim) * 16 + key % 16; }
EYRIE_INLINE int64_t value_index_float(int64_t stored_dim, int64_t key, int64_t dim) { return key * stored_dim + dim; }

}  // namespace eyrie
