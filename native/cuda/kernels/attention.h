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
  int head_dim = 0;  // 64 or 128 (all Falcons)
  float scale = 0;   // 1 / sqrt(head_dim)
};

/// qkv [rows, Q + 2 KV] bfloat16: all queries, all keys, all values. Rotates queries in place and keys on their way into the cache
/// (NeoX form: pairs are (i, i + head_dim / 2)), and appends keys and values at each row's position.
/// cos_sin [positions][cos: head_dim / 2 | sin: head_dim / 2] float32, the CPU's RotaryTable. head_dim is a multiple of 16. Keys and
/// values whose page is missing are not written anywhere.
void rotate_and_append(Stream& stream, const PassRows& pass, const AttentionShape& shape, const float* cos_sin, bf16* qkv,
                       const PagedCache& cache, int layer);

/// Consecutive rows of one sequence that attend together: at least two rows. Rows outside of all chunks attend alone.
struct RowChunk {
  int32_t first_row = 0;
  int32_t rows = 0;
};

/// How the rows of a pass are laid on blocks of threads. It never changes a result. A row is named once, as a single row or in a tile.
struct AttentionPlan {
  int single_rows = 0;               // rows that attend alone
  const int32_t* singles = nullptr;  // device [single_rows] row numbers; -1: padding
  int splits_max = 0;  // pages that the longest single row may span: bounds the grid. Shorter than a row needs: the row is NaN
  int tiles = 0;
  const RowChunk* tile_rows = nullptr;  // device [tiles]: up to kTileRows consecutive rows of one sequence; 0 rows: padding
};
inline constexpr int kTileRows = 8;

/// Bytes of the buffer for the partial results of single rows, aligned to 16. Tiles need none.
size_t attention_scratch_bytes(const AttentionShape& shape, int single_rows, int splits_max);

/// out [rows, Q]: attention of each row over positions [0, its position] of its slot. q is read from qkv [rows, Q + 2 KV]; all pointers
/// are aligned to 16 bytes. With an 8-bit format the row's scale covers all its heads, the codes are those of the bfloat16 row
/// (quantise_rows() of the bfloat16 result gives the same), and the queries of the tiles' rows in qkv are overwritten.
/// A row one of whose pages is missing (-1 in the table) becomes NaN.
void attend(Stream& stream, const PassRows& pass, const AttentionShape& shape, bf16* qkv, const PagedCache& cache, int layer,
            const AttentionPlan& plan, void* scratch, const RowsOut& out);

/// Copies positions [0, tokens) of slot `from` to slot `to` in all layers. A page that both slots share stays as it is.
void copy_prefix(Stream& stream, const PagedCache& cache, int layers, int from, int to, int tokens);

}  // namespace eyrie::cuda
