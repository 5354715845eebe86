// gemm.h for the emulation: sums in float32 (int32 for int8) with k ascending, one accumulator per result, so that a row's bytes depend on
// the row alone. Rows that a card would compute as padding are filled with NaN: nobody may read them.

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "cuda/gemm.h"
#include "cuda/kernels/numbers.h"
#include "emulation/submit.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

/// Columns that are summed side by side.
constexpr int64_t kBlock = 64;

float widen(eyrie::bf16 v) { return to_float(v); }
/// By a table, since most of a product of few rows is this.
float widen(e4m3 v) {
  static const auto values = [] {
    std::array<float, 256> of_bits{};
    for (size_t bits = 0; bits < of_bits.size(); ++bits) of_bits[bits] = to_float(e4m3{static_cast<uint8_t>(bits)});
    return of_bits;
  }();
  return values[v.bits];
}
int32_t widen(int8_t v) { return v; }

/// `count` <= kBlock rows of W [n, k] as [k][kBlock], so that the inner loop runs over columns.
template <class Operand, class Sum>
std::vector<Sum> transposed(const Operand* w, int64_t count, int64_t k) {
  std::vector<Sum> block(static_cast<size_t>(k * kBlock), Sum{0});
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t i = 0; i < k; ++i) block[static_cast<size_t>(i * kBlock + n)] = widen(w[n * k + i]);
  }
  return block;
}

template <class Operand, class Sum, class Put>
void multiply(const GemmShape& shape, const GemmCall& call, const Put& put) {
  const auto* const x = static_cast<const Operand*>(call.x);
  const auto* const w = static_cast<const Operand*>(call.w);
  for (int64_t first = 0; first < shape.n; first += kBlock) {
    const int64_t count = std::min(kBlock, shape.n - first);
    const std::vector<Sum> block = transposed<Operand, Sum>(w + first * shape.k, count, shape.k);
    for (int64_t row = 0; row < call.m; ++row) {
      std::array<Sum, kBlock> sums{};
      for (int64_t i = 0; i < shape.k; ++i) {
        const Sum value = widen(x[row * shape.k + i]);
        const Sum* const column = block.data() + i * kBlock;
        for (int64_t n = 0; n < kBlock; ++n) sums[static_cast<size_t>(n)] += value * column[n];
      }
      for (int64_t n = 0; n < count; ++n) put(row, first + n, sums[static_cast<size_t>(n)]);
    }
  }
}

size_t result_bytes(SumFormat format) { return format == SumFormat::bf16 ? 2 : 4; }

class ReferenceGemm : public Gemm {
 public:
  ReferenceGemm(std::vector<GemmShape> shapes, int64_t rows_max) : shapes_(std::move(shapes)), rows_max_(rows_max) {
    for (const GemmShape& shape : shapes_) check(shape);
  }

  int64_t padded_rows(int64_t m) const override { return rounded_rows(m); }

  void run(Stream& stream, const GemmCall& call) override {
    const GemmShape& shape = shapes_.at(static_cast<size_t>(call.shape));
    const int64_t rows_max = shape.rows_max == 0 ? rows_max_ : shape.rows_max;
    if (call.m < 1 || call.m > rows_max) {
      throw Error(ErrorCode::internal_error, std::string("the product ") + shape.name + " has " + std::to_string(call.m) +
                                                 " rows, planned were 1 to " + std::to_string(rows_max));
    }
    emulation::submit(stream, [shape, call] { compute(shape, call); });
  }

  std::vector<std::string> report() const override {
    std::vector<std::string> lines;
    for (const GemmShape& shape : shapes_) {
      lines.push_back(std::string(shape.name) + " [" + std::to_string(shape.n) + ", " + std::to_string(shape.k) +
                      "]: sums with k ascending");
    }
    return lines;
  }

 private:
  static void check(const GemmShape& shape) {
    const bool integers = shape.operands == RowFormat::int8;
    if (shape.n < 1 || shape.k < 16 || shape.k % 16 != 0 || integers != (shape.result == SumFormat::int32)) {
      throw Error(ErrorCode::unsupported_device, std::string("the product ") + shape.name + " has n = " + std::to_string(shape.n) +
                                                     ", k = " + std::to_string(shape.k) +
                                                     "; k must be a multiple of 16, and int8 gives int32");
    }
  }

  static void compute(const GemmShape& shape, const GemmCall& call) {
    const auto put = [&](int64_t row, int64_t column, float sum) {
      if (shape.result == SumFormat::float32) {
        static_cast<float*>(call.y)[row * shape.n + column] = sum;
      } else {
        static_cast<eyrie::bf16*>(call.y)[row * shape.n + column] = to_bf16(sum);
      }
    };
    switch (shape.operands) {
      case RowFormat::bf16: multiply<eyrie::bf16, float>(shape, call, put); break;
      case RowFormat::e4m3:
        multiply<e4m3, float>(shape, call, [&](int64_t row, int64_t column, float sum) {
          put(row, column, sum * call.w_scales[column] * call.x_scales[row]);
        });
        break;
      case RowFormat::int8:
        multiply<int8_t, int32_t>(
            shape, call, [&](int64_t row, int64_t column, int32_t sum) { static_cast<int32_t*>(call.y)[row * shape.n + column] = sum; });
        break;
    }
    const size_t row_bytes = static_cast<size_t>(shape.n) * result_bytes(shape.result);
    const auto padding = static_cast<size_t>(rounded_rows(call.m) - call.m);
    std::memset(static_cast<std::byte*>(call.y) + static_cast<size_t>(call.m) * row_bytes, 0xff, padding * row_bytes);
  }

  std::vector<GemmShape> shapes_;
  int64_t rows_max_;
};

}  // namespace

std::unique_ptr<Gemm> open_gemm(Device&, Stream&, std::vector<GemmShape> shapes, int64_t rows_max) {
  return std::make_unique<ReferenceGemm>(std::move(shapes), rows_max);
}

}  // namespace eyrie::cuda
