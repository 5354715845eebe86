#pragma once
// Weights on their way into the card's matrices: converted, quantised or made up there, one block of threads per row. The results are
// those of the CPU bit for bit (cpu/vector: to_bfloat16, to_int8; numbers/row_scale.h: e4m3), which is what `eyrie model convert` stores.

#include <cstdint>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"
#include "io/tensor_info.h"

namespace eyrie::cuda {

/// Rows [rows, k] of a checkpoint, of which the columns [first_column, first_column + columns) are kept.
struct SourceRows {
  const void* values = nullptr;          // device, a multiple of 16 bytes
  TensorDtype type = TensorDtype::bf16;  // bf16, f16, f32, i8 or f8_e4m3
  const float* scales = nullptr;         // device [rows]; of the 8-bit types
  int64_t rows = 0;
  int64_t k = 0;
  int64_t first_column = 0;
  int64_t columns = 0;
};

/// out [rows, columns] = the kept columns:
///   bf16 out          rounded to nearest even; 8-bit sources are widened first (code * scale)
///   8 bits out        scale = largest finite |value| of all k columns / 448 (e4m3, row_scale()) or / 127 (int8, 0 for a row of zeros),
///                     so that the shares of several ranks are those of one
///   8 bits as stored  copied; out.scales are not written
/// `nonfinite` (device) is raised by the number of NaN and infinite values among the columns read: all of them where a scale is looked
/// for, else those kept. A stored -128 counts as one: no scale is made for it.
/// Other pairs of 8-bit types throw internal_error.
void put_rows(Stream& stream, const SourceRows& source, const RowsOut& out, uint32_t* nonfinite);

/// out [rows, k] = random values around 0 with standard deviation `deviation`, close to normal (the sum of four uniform values), the
/// same for the same seed. Bytes that look like those of a model, for measuring: zeros would run faster than weights do.
void fill_random_rows(Stream& stream, const RowsOut& out, int64_t rows, int64_t k, float deviation, uint64_t seed);

}  // namespace eyrie::cuda
