#pragma once
// Kernels that take one row of the pass per block of threads: embedding, residual and norms, GELU, quantising. A row's bytes depend
// on the row alone: every sum runs in an order that the width fixes. H = hidden, F = ffn, V = vocabulary.
//
// All pointers are to device memory and multiples of 16 bytes. Any width is right; those that are multiples of 8 are fast, since their
// rows are read and written 16 bytes at a time.
//
// Rows in 8 bits (numbers/row_scale.h): a row of zeros has scale 1. A row with a NaN has a NaN for its scale, so that whatever is
// computed from it is NaN; one with an infinity likewise gives NaN. No other row notices.

#include <cstdint>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"
#include "numbers/bfloat16.h"

namespace eyrie::cuda {

/// residual [rows, H] float32 = embedding row of each token. `drawn` [slots]: what each slot drew last, taken where the token is kDrawn.
/// Padding rows become zeros.
void embed(Stream& stream, const PassRows& pass, const int32_t* drawn, const bf16* embedding, int hidden, float* residual);

struct Norm {
  const float* gain = nullptr;  // [H]
  const float* bias = nullptr;  // [H]
};

/// residual += attention + mlp (bfloat16 partial results of the layer before, added to each other first; either or both may be null),
/// then one or two layer norms of it. Variance in two steps (mean first), as the CPU's layer_norm() does. 8-bit outputs are rounded
/// once, from float32. H <= 16,384, else unsupported_device.
struct AddNorm {
  int rows = 0;
  int hidden = 0;
  float epsilon = 1e-5f;
  float* residual = nullptr;        // [*, H] float32, updated
  const bf16* attention = nullptr;  // [*, H]
  const bf16* mlp = nullptr;        // [*, H]
  const int32_t* row_of = nullptr;  // [rows]: row of residual, attention and mlp; null: row i is row i. Rows must differ; -1: skipped
  bool keep_residual = true;        // false: the sum is needed for the norms alone
  Norm first, second;               // second.gain null: one norm
  RowsOut first_out, second_out;
};
void add_norm(Stream& stream, const AddNorm& call);

/// out = gelu(x) of x [rows, F] bfloat16, the exact (erf) form with the CPU's polynomial. out may be x itself when it is bf16. 8-bit
/// outputs are made of the bf16 values; F <= 116,000 then (a row lies in shared memory), else unsupported_device.
void gelu_rows(Stream& stream, const bf16* x, int rows, int width, const RowsOut& out);

/// out = x, quantised; the same limit. x [rows, width] bfloat16.
void quantise_rows(Stream& stream, const bf16* x, int rows, int width, const RowsOut& out);

/// y [rows, n] bfloat16 = sums [rows, n] * x_scale[row] * w_scale[column]: what follows an INT8 product.
void scale_sums(Stream& stream, const int32_t* sums, int rows, int n, const float* x_scales, const float* w_scales, bf16* y);

}  // namespace eyrie::cuda
