#pragma once
// Keys and values of one slot in one layer: contiguous memory, laid out for the kernels that read it.
//
// Positions come in blocks of 32. Inside a block of a head, with D = head_dim rounded up to 32:
//   bfloat16 keys    [2 halves of 16 keys][D/2 pairs of dims][16 keys][2 dims]      a column of lanes = 16 keys
//   bfloat16 values  [D/16 groups of dims][16 pairs of keys][16 dims][2 keys]       a row of lanes = 16 dims
//   float32 keys     [2 halves of 16 keys][D dims][16 keys]
//   float32 values   [32 keys][D dims]
// The bfloat16 forms are what both dpbf16 and the AMX tile multiply want as their right-hand operand (1 KiB tiles).
//
// A block is cleared when its first position is written. So the part of the last block that is not written yet holds
// zeros, whatever a slot held before, and kernels may read whole blocks.

#include <cstddef>
#include <cstdint>

#include "cpu/compute.h"
#include "numbers/dtype.h"

namespace eyrie {

constexpr int64_t kKvBlock = 32;
constexpr int64_t kHeadDimMax = 256;

/// The attention geometry of a model, the same in all layers.
struct AttentionShape {
  int64_t q_heads;  ///< a multiple of kv_heads; query head i reads kv head i / (q_heads / kv_heads)
  int64_t kv_heads;
  int64_t head_dim;                     ///< 1 to kHeadDimMax
  DType cache_dtype;                    ///< float32 or bfloat16
  float scale;                          ///< 1 / sqrt(head_dim)
  const float* alibi_slopes = nullptr;  ///< [q_heads], or null where positions are rotary
};

/// Memory of one slot in one layer. `keys` and `values` each hold kv_bytes() bytes, aligned to 64.
struct KvSlot {
  void* keys;        ///< [kv_heads][capacity / 32 blocks]
  void* values;      ///< [kv_heads][capacity / 32 blocks]
  int64_t capacity;  ///< positions, a multiple of kKvBlock
};

/// Bytes of the keys (and again of the values) of one slot in one layer.
size_t kv_bytes(const AttentionShape& shape, int64_t capacity);

/// New positions of one sequence inside a flat batch of rows: a whole prompt, a chunk of one, or one decode step.
struct KvRows {
  KvSlot slot;
  int64_t first_row;       ///< in the flat batch
  int64_t rows;            ///< >= 1
  int64_t first_position;  ///< tokens the slot already holds; first_position + rows <= capacity
};

/// Writes keys and values of the new positions, rounded to the cache type.
/// k, v: float32, row r at k + r * row_stride, [kv_heads, head_dim] in it; rotary must have been applied to k.
/// Positions of a slot are written in ascending order without gaps, from 0 when the slot is used anew.
void kv_append(const Compute& compute, const AttentionShape& shape, const float* k, const float* v, int64_t row_stride,
               const KvRows* sequences, int64_t count);

/// Copies the first `positions` positions of `from` to `to` (a shared prefix computed once). Capacities may differ.
/// Whole blocks are copied and the rest of the last one is cleared, so that `to` continues at `positions`.
void kv_copy_prefix(const AttentionShape& shape, const KvSlot& from, const KvSlot& to, int64_t positions);

/// Reads one position back as float32, k and v [kv_heads, head_dim] each: for tests and self-checks.
void kv_read(const AttentionShape& shape, const KvSlot& slot, int64_t position, float* k, float* v);

}  // namespace eyrie
