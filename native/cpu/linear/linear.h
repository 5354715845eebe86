#pragma once
// y = x W^T + b, where nearly all time goes.
//
// Weights are packed once, when they are loaded, into panels of 32 output channels in the order in which the kernels
// read them; x is packed per call into scratch. The sum over k runs in one order that depends on the ISA level and the
// weight type alone, never on m, on the row's place, on the other rows, or on the number of threads:
//   float32            fused multiply-adds, k ascending: the same bytes on every level
//   bfloat16           the same up to avx512vnni; avx512bf16 adds products in pairs, amx in tiles of 32
//   int8               weights alone are 8-bit: they are bfloat16 numbers when they are multiplied, in the order of bfloat16;
//                      but on avx512vnni and avx512bf16, whose 8-bit multiply is faster, x is 8-bit too (x_codes.h)

#include <cstddef>
#include <cstdint>

#include "cpu/compute.h"
#include "cpu/huge_buffer.h"
#include "numbers/dtype.h"

namespace eyrie {

/// What happened to the values of packed rows.
struct PackReport {
  uint64_t rounded = 0;    ///< values that the weight type could not hold exactly (not counted for int8)
  uint64_t nonfinite = 0;  ///< NaN or infinity: the caller should refuse the model
};

/// One weight matrix [n, k] (n output channels) in kernel form, read-only once filled.
class PackedLinear {
 public:
  PackedLinear() = default;
  /// dtype: float32, bfloat16 or int8; n, k >= 1.
  /// Memory is packed_bytes(n, k, dtype). Throws invalid_request, out_of_memory.
  PackedLinear(int64_t n, int64_t k, DType dtype);

  int64_t n() const { return n_; }
  int64_t k() const { return k_; }
  DType dtype() const { return dtype_; }
  size_t bytes() const { return buffer_.size(); }
  static size_t packed_bytes(int64_t n, int64_t k, DType dtype);

  /// Packs rows [first_row, first_row + count) from row-major `rows` [count, k] of type `source` (float32, bfloat16 or
  /// float16). Blocks may be of any size and come in any order, each row exactly once (so a fused QKV is re-laid while
  /// it is loaded); multiples of 32 rows are fastest. Rounds to nearest even; int8: scale = max|w| / 127 per row.
  PackReport pack_rows(const Compute& compute, int64_t first_row, int64_t count, const void* rows, DType source);

  /// int8 weights that are already quantised: w = rows[count, k] (-127..127) * scales[count].
  /// Throws model_invalid for a -128 or a scale that is not finite or is negative.
  void pack_quantised_rows(const Compute& compute, int64_t first_row, int64_t count, const int8_t* rows, const float* scales);

  /// Row `row` as float32 [k], exactly as the kernels see it. int8: value * scale.
  void read_row(int64_t row, float* out) const;

  // The packed form, for kernels. Panels follow each other; columns past n and k past its end are zero.
  const void* panels() const { return buffer_.data(); }
  int64_t panel_bytes() const { return panel_bytes_; }
  int64_t panel_count() const { return (n_ + kPanel - 1) / kPanel; }
  const float* scales() const { return scales_; }  ///< int8: [panels * 32]; null otherwise

  static constexpr int64_t kPanel = 32;

 private:
  void check_rows(int64_t first_row, int64_t count) const;

  int64_t n_ = 0;
  int64_t k_ = 0;
  DType dtype_ = DType::float32;
  int64_t panel_bytes_ = 0;
  HugeBuffer buffer_;
  float* scales_ = nullptr;
};

enum class Activation : uint8_t { none, gelu };

/// One product. y may not overlap x.
struct LinearCall {
  const void* x;                ///< [m, k], dense, of type activation_dtype(weights.dtype())
  int64_t m;                    ///< >= 0
  void* y;                      ///< [m, n], row r at y + r * y_stride elements
  int64_t y_stride;             ///< >= n
  DType y_dtype;                ///< float32 or bfloat16
  const float* bias = nullptr;  ///< [n] or null
  Activation activation = Activation::none;
  bool accumulate = false;  ///< y += result, in float32 (y_dtype must be float32): the residual stream
};

/// Scratch that linear() needs for up to `m` rows: packed x and partial sums. Monotonic in m.
size_t linear_scratch_bytes(const Compute& compute, const PackedLinear& weights, int64_t m);

/// Throws invalid_request where the call does not fit the weights or the scratch; never in the middle of the work.
void linear(const Compute& compute, const PackedLinear& weights, const LinearCall& call, const HugeBuffer& scratch);

}  // namespace eyrie
