#pragma once
// What the kernels of attend() are given, and who starts which of them.

#include <cstddef>
#include <cstdint>

#include "cuda/device.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/pass.h"

namespace eyrie::cuda::attention {

/// One layer of the pass.
struct Call {
  PassRows pass;
  AttentionShape shape;
  PagedCache cache;
  int layer = 0;
  bf16* qkv = nullptr;
  // Partial results of rows that attend alone, one for each of their splits.
  float* values = nullptr;   // [single rows][query heads][splits_max][head_dim]
  float* softmax = nullptr;  // [single rows][query heads][splits_max][maximum, sum]
};

/// Partial results of the single rows.
void attend_single_rows(Stream& stream, const Call& call, const AttentionPlan& plan);

/// Results of the tiles as bfloat16, row r at out + r * row_stride.
void attend_tiles(Stream& stream, const Call& call, const AttentionPlan& plan, bf16* out, int64_t row_stride);

/// Merges the splits of the single rows and writes the result in its format.
void finish_single_rows(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out);

/// The rows of the tiles, which attend_tiles() left in the place of their queries, in an 8-bit format.
void quantise_tile_rows(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out);

}  // namespace eyrie::cuda::attention
