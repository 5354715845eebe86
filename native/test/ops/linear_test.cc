// The matrix product of every level and weight type against sums in double.

#include "ops/linear.h"

#include <cmath>

#include "ops/float16.h"
#include "oracle.h"

namespace eyrie::test {
namespace {

struct Case {
  int64_t m, n, k;
};

// Tile edges on every side: full, one over, one under, single.
const Case kCases[] = {{1, 1, 1}, {1, 33, 64}, {5, 31, 63}, {16, 32, 32}, {17, 70, 65}, {32, 64, 128}, {33, 96, 257}, {70, 40, 130}};

std::vector<float> rows_of(const PackedLinear& w) {
  std::vector<float> rows(static_cast<size_t>(w.n() * w.k()));
  for (int64_t r = 0; r < w.n(); r++) w.read_row(r, rows.data() + r * w.k());
  return rows;
}

class Linear : public EveryIsa {
 protected:
  /// y by linear() from float values, rounded to the activation type first.
  std::vector<float> product(const PackedLinear& w, const std::vector<float>& x, int64_t m, const float* bias = nullptr) {
    std::vector<float> y(static_cast<size_t>(m * w.n()));
    const std::vector<bf16> narrow = as_bf16(x);
    const void* input = activation_dtype(w.dtype()) == DType::float32 ? static_cast<const void*>(x.data()) : narrow.data();
    HugeBuffer scratch(linear_scratch_bytes(compute, w, m));
    linear(compute, w, {.x = input, .m = m, .y = y.data(), .y_stride = w.n(), .y_dtype = DType::float32, .bias = bias}, scratch);
    return y;
  }
};

TEST_P(Linear, MatchesDoubleSums) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    for (const Case& c : kCases) {
      const std::vector<float> weights = random_values(c.n * c.k, 1), x = random_values(c.m * c.k, 2), bias = random_values(c.n, 3);
      PackedLinear w(c.n, c.k, dtype);
      w.pack_rows(compute, 0, c.n, weights.data(), DType::float32);
      const std::vector<float> y = product(w, x, c.m, bias.data()), held = rows_of(w);
      for (int64_t r = 0; r < c.m; r++) {
        for (int64_t n = 0; n < c.n; n++) {
          double sum = bias[n], magnitude = std::fabs(bias[n]);
          for (int64_t k = 0; k < c.k; k++) {
            const double xv = dtype == DType::float32 ? x[r * c.k + k] : to_float(to_bf16(x[r * c.k + k]));
            sum += xv * held[n * c.k + k];
            magnitude += std::fabs(xv * held[n * c.k + k]);
          }
          // Roundings of float sums; int8 adds those of x to 16 bits, 1/65,534 of the largest of the row each.
          const double tolerance = magnitude * (dtype == DType::int8 ? 2e-4 : 2e-6) + 1e-7;
          ASSERT_NEAR(y[r * c.n + n], sum, tolerance) << dtype_name(dtype) << " m=" << c.m << " n=" << c.n << " k=" << c.k << " at " << r << "," << n;
        }
      }
    }
  }
}

}  // namespace
EYRIE_EVERY_ISA(Linear);
}  // namespace eyrie::test
