#pragma once
// Matrix products y [m, n] = x [m, k] W [n, k]^T, all row-major. A row's bytes depend on the row alone, never on m: only algorithms
// whose results are equal bit by bit for every m take part (docs/decisions/0020-one-class-of-bits.md).

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"

namespace eyrie::cuda {

enum class SumFormat : uint8_t { bf16, float32, int32 };

/// One shape of product, known at start.
struct GemmShape {
  int64_t n = 0;
  int64_t k = 0;                         // multiple of 16
  RowFormat operands = RowFormat::bf16;  // of x and W
  SumFormat result = SumFormat::bf16;    // int32 with int8 operands, and only there
  bool slow_accumulation = true;         // e4m3: every product added in float32
  const char* name = "";                 // in messages
  int64_t rows_max = 0;                  // fewer than open_gemm() says; 0: as many
};

struct GemmCall {
  int shape = 0;  ///< place in the shapes that the Gemm was opened with
  int64_t m = 0;  ///< <= rows_max; memory of x, x_scales and y holds padded_rows(m) rows
  const void* x = nullptr;
  const float* x_scales = nullptr;  // [m]; e4m3
  const void* w = nullptr;
  const float* w_scales = nullptr;  // [n]; e4m3
  void* y = nullptr;
};

/// Rows that a product of m rows computes, at least.
constexpr int64_t rounded_rows(int64_t m) { return (m + 15) / 16 * 16; }

class Gemm {
 public:
  virtual ~Gemm() = default;
  /// Rows that a product of m rows computes: m rounded up. Rows past m hold anything.
  virtual int64_t padded_rows(int64_t m) const = 0;
  virtual void run(Stream& stream, const GemmCall& call) = 0;
  /// One line per shape about what was chosen, for logs and for eyrie_gpu.
  virtual std::vector<std::string> report() const = 0;
};

/// Chooses an algorithm for every shape and row count, in the order in which cuBLASLt would prefer them, and keeps only those of one
/// class of bits. Takes up to two seconds on a card. Throws unsupported_device where a shape has none.
/// One of gemm_cublaslt.cc (on a card) or gemm_reference.cc (in emulation) is linked.
std::unique_ptr<Gemm> open_gemm(Device& device, Stream& stream, std::vector<GemmShape> shapes, int64_t rows_max);

}  // namespace eyrie::cuda
