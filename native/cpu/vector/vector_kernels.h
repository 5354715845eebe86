#pragma once
// The per-level table of everything that is not a matrix product. All levels give the same bytes (simd/vec_scalar.h).

#include <cstdint>

#include "cpu/isa.h"
#include "cpu/vector/layer_norm.h"
#include "numbers/bfloat16.h"
#include "numbers/dtype.h"

namespace eyrie {

struct RowMax {
  float value;
  bool has_nan;
};

/// What a row of weights held (PackReport, for one row).
struct RowReport {
  uint64_t rounded;
  uint64_t nonfinite;
};

inline constexpr int64_t kMassBlock = 1024;

struct VectorKernels {
  /// Row `row` of y; x is that row.
  void (*layer_norm)(const float* x, int64_t row, int64_t hidden, float eps, const LayerNormOutput* outputs, int count, DType y_dtype);
  void (*gelu)(const float* x, int64_t n, float* y);
  void (*rotary)(float* row, int64_t heads, int64_t head_dim, const float* cos, const float* sin);
  RowMax (*max)(const float* x, int64_t n);
  /// Smallest i with x[i] == value, or n.
  int64_t (*find)(const float* x, int64_t n, float value);
  /// Writes the i with x[i] >= threshold, ascending, and returns their number. ids has room for n.
  int64_t (*collect)(const float* x, int64_t n, float threshold, int32_t* ids);
  /// Sum of the masses (sampling/masses.h) of e^(x - best); block_sums: null, or those of each kMassBlock values.
  uint64_t (*sum_masses)(const float* x, int64_t n, float best, uint64_t* block_sums);
  /// y = e^(x - shift)
  void (*exp)(const float* x, int64_t n, float shift, float* y);
  /// x *= factor; returns what max() would then.
  RowMax (*scale)(float* x, int64_t n, float factor);

  /// Word w of row r, from[r * stride + w], becomes word r of a run of 16 that starts at
  /// to + w % 8 * to_stride + w / 8 * half_stride. `to` and both strides are multiples of 64 bytes.
  void (*transpose_words)(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride);
  /// The same, but that of four neighbours in a run the lower halves of all come before the upper ones.
  void (*transpose_codes)(const uint32_t* from, int64_t stride, uint32_t* to, int64_t to_stride, int64_t half_stride);

  // Weights of type `source` (float32, bfloat16, float16), while they are packed.
  void (*to_float32)(const void* x, DType source, int64_t n, float* y);
  RowReport (*to_bfloat16)(const void* x, DType source, int64_t n, bf16* y);
  /// y = round(x / scale) within [-127, 127]; zeros where scale is 0 and in the place of a NaN.
  void (*to_int8)(const void* x, DType source, int64_t n, float scale, int8_t* y);
  /// Largest finite |x|, and how many values are not finite.
  float (*max_abs)(const void* x, DType source, int64_t n, uint64_t* nonfinite);
};

const VectorKernels& vector_kernels(Isa isa);

}  // namespace eyrie
