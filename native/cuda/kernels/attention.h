#pragma once
// Rotary positions, the paged cache and attention, for any mix of prompt rows and decode rows.
//
// One order for prefill, chunks and decode: keys are taken in blocks of 64 (own maximum, own sum, own P V), four blocks are merged in
// ascending order into a split of 256, splits are merged in ascending order. What a row attends to depends on its sequence and
// position alone, so a prompt may be cut anywhere, and a sequence may be computed again with its output as prompt: the bytes are
// the same.

#include <cstdint>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"
#include "numbers/bfloat16.h"

namespace eyrie::cuda {

struct AttentionShape {
  int query_heads = 0;  // of this rank; kv_heads divides it
  int kv_heads = 0;
  int head_dim = 0;  // 64 or 128
  float scale = 0;   // 1 / sqrt(head_dim)
};

/// qkv [rows, Q + 2 KV] bfloat16: all queries, all keys, all values. Rotates queries in place and keys on their way into the cache
/// (NeoX form: pairs are (i, i + head_dim / 2)), and appends keys and values at each row's position.
/// cos_sin [positions][cos: head_dim / 2 | sin: head_dim / 2] float32, the CPU's RotaryTable.
void rotate_and_append(Stream& stream, const PassRows& pass, const AttentionShape& shape, const float* cos_sin, bf16* qkv,
                       const PagedCache& cache, int layer);

/// Consecutive rows of one sequence that attend together: at least two rows. Rows outside of all chunks attend alone.
struct RowChunk {
  int32_t first_row = 0;
  int32_t rows = 0;
};

/// How the rows of a pass are laid on blocks of threads. It never changes a result.
struct AttentionPlan {
  int single_rows = 0;               // rows that attend alone
  const int32_t* singles = nullptr;  // device [single_rows] row numbers; -1: padding
  int splits_max = 0;                // pages that the longest single row may span: bounds the grid
  int tiles = 0;
  const RowChunk* tile_rows = nullptr;  // device [tiles]: up to kTileRows consecutive rows of one sequence
};
inline constexpr int kTileRows = 8;

/// Bytes of the buffer for partial results: [single_rows][query heads][splits_max][head_dim + 2] float32, or what the kernels need.
size_t attention_scratch_bytes(const AttentionShape& shape, int single_rows, int splits_max);

/// out [rows, Q]: attention of each row over positions [0, its position] of its slot. q is read from qkv [rows, Q + 2 KV].
/// With an 8-bit format the row's scale covers all its heads.
void attend(Stream& stream, const PassRows& pass, const AttentionShape& shape, const bf16* qkv, const PagedCache& cache, int layer,
            const AttentionPlan& plan, void* scratch, const RowsOut& out);

/// Copies positions [0, tokens) of slot `from` to slot `to` in all layers.
void copy_prefix(Stream& stream, const PagedCache& cache, int layers, int from, int to, int tokens);

}  // namespace eyrie::cuda
