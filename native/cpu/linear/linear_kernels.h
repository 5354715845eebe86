#pragma once
// The per-level table of matrix products. How a product runs, whatever the level (linear.cc drives it):
//
//   pack_x     x, once per call, into blocks of rows in the order in which multiply reads them
//   multiply   one panel of 32 output channels times some row blocks over a range of k, into partial sums
//   finish     partial sums of a whole range of k, plus bias, GELU, ..., into y
//
// A range of k may be cut anywhere between two steps: partial sums go to memory and come back unrounded, so cache
// blocking never changes a result.

#include <cstdint>

#include "cpu/isa.h"
#include "cpu/linear/linear.h"
#include "numbers/bfloat16.h"

namespace eyrie {

/// Slices of consecutive panels, the same range of k in each, times consecutive row blocks of x.
struct MultiplyCall {
  const void* x;          ///< first row block, at the first step of the range
  int64_t x_block_bytes;  ///< from one row block to the next
  int64_t rows;           ///< >= 1; blocks are padded with zeros to the full row_block
  int64_t steps;          ///< >= 1
  const void* panel;      ///< first panel, at the first step of the range
  int64_t panel_bytes;    ///< from one panel to the next
  int64_t panels;
  float* sums;         ///< of the first panel: [rows, padded][32]
  int64_t sums_bytes;  ///< from one panel's sums to the next
  bool first;          ///< sums start at zero instead of what is there
  // What the next call will read; it may be brought into the second-level cache meanwhile.
  const void* next_panel;
  const void* next_x;
  int64_t next_x_bytes;

  const char* panel_at(int64_t i) const { return static_cast<const char*>(panel) + i * panel_bytes; }
  float* sums_at(int64_t i) const { return sums + i * sums_bytes / 4; }
  /// What follows panel i: the same range of the next one, or what the next call starts with.
  const char* after(int64_t i) const { return i + 1 < panels ? panel_at(i + 1) : static_cast<const char*>(next_panel); }
};

struct ProductKernel {
  int64_t row_block;         ///< rows in a block of packed x
  int64_t k_step;            ///< values of k in one step
  int64_t x_step_bytes;      ///< bytes of one step of one row block
  int64_t panel_step_bytes;  ///< bytes of one step of a panel
  int64_t range_steps;       ///< steps per range when several row blocks share a slice: it should stay in L1
  int64_t two_block_steps;   ///< the same when there are just two, which may leave the slice waiting for memory
  bool streams;              ///< a single row block may take any number of steps at once

  /// Packs steps [first_step, first_step + steps) of one row block: `rows` rows from x, `k` values apart. Missing rows
  /// and k past the end become zero. out points at first_step.
  void (*pack_x)(const void* x, int64_t k, int64_t rows, int64_t first_step, int64_t steps, void* out);

  void (*multiply)(const MultiplyCall& call);

  /// Called by each thread before its first and after its last multiply of a product, or null: setting up tile registers
  /// takes about as long as multiplying a small slice.
  void (*enter)();
  void (*leave)();
};

/// Finished sums of consecutive panels, and where they go.
struct FinishCall {
  const float* sums;   ///< of the first panel: [rows][32]
  int64_t sums_bytes;  ///< from one panel's sums to the next
  int64_t rows;
  int64_t columns;   ///< of all panels together; only the last may have less than 32
  void* y;           ///< at the first column and row
  int64_t y_stride;  ///< elements
  DType y_dtype;
  const float* scales;  ///< of the first column, or null: multiplies the sums
  const float* bias;    ///< of the first column, or null
  Activation activation;
  bool accumulate;
};

using FinishKernel = void (*)(const FinishCall& call);

/// What a level uses, its own or that of a lower level.
struct LinearKernels {
  const ProductKernel* float32;
  const ProductKernel* bfloat16;
  const ProductKernel* int8;
  FinishKernel const* finish;

  const ProductKernel& product(DType weights) const {
    return *(weights == DType::float32 ? float32 : weights == DType::int8 ? int8 : bfloat16);
  }
};

const LinearKernels& linear_kernels(Isa isa);

}  // namespace eyrie
