// The matrix product of every level and weight type against sums in double.

#include "cpu/linear/linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "cpu/linear/x_codes.h"
#include "cpu/vector/gelu.h"
#include "error.h"
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
  for (int64_t r = 0; r < w.n(); ++r) w.read_row(r, rows.data() + r * w.k());
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

  /// Whether x is multiplied as 8-bit codes.
  static bool takes_codes(DType weights) {
    return weights == DType::int8 && (GetParam() == Isa::avx512vnni || GetParam() == Isa::avx512bf16);
  }
};

float largest_of(const float* x, int64_t count) {
  float most = 0;
  for (int64_t i = 0; i < count; ++i) most = std::max(most, std::fabs(to_float(to_bf16(x[i]))));
  return most;
}

/// The most that codes for x can put a product off: each by half a code.
double coding_error(const float* x, const float* weights, int64_t k) {
  double error = 0;
  for (int64_t group = 0; group < k; group += kCodeGroup) {
    const int64_t count = std::min(kCodeGroup, k - group);
    const double half = 0.5001 * largest_of(x + group, count) / 127;
    for (int64_t i = 0; i < count; ++i) error += half * std::fabs(weights[group + i]);
  }
  return error;
}

/// A sum as x_codes.h defines it.
float coded_sum(const float* x, const int8_t* weights, int64_t k) {
  float sum = 0;
  for (int64_t group = 0; group < k; group += kCodeGroup) {
    const int64_t count = std::min(kCodeGroup, k - group);
    const float most = largest_of(x + group, count), scale = most < kCodeFloor ? 0 : most / 127.0f;
    int32_t inner = 0;
    for (int64_t i = 0; i < count && scale > 0; ++i)
      inner += weights[group + i] * static_cast<int32_t>(std::nearbyintf(to_float(to_bf16(x[group + i])) * (127.0f / most)));
    sum = std::fmaf(static_cast<float>(inner), scale, sum);
  }
  return sum;
}

TEST_P(Linear, MatchesDoubleSums) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    for (const Case& c : kCases) {
      const std::vector<float> weights = random_values(c.n * c.k, 1), x = random_values(c.m * c.k, 2), bias = random_values(c.n, 3);
      PackedLinear w(c.n, c.k, dtype);
      w.pack_rows(compute, 0, c.n, weights.data(), DType::float32);
      const std::vector<float> y = product(w, x, c.m, bias.data()), held = rows_of(w);
      for (int64_t r = 0; r < c.m; ++r) {
        for (int64_t n = 0; n < c.n; ++n) {
          double sum = bias[n], magnitude = std::fabs(bias[n]);
          for (int64_t k = 0; k < c.k; ++k) {
            const double xv = dtype == DType::float32 ? x[r * c.k + k] : to_float(to_bf16(x[r * c.k + k]));
            sum += xv * held[n * c.k + k];
            magnitude += std::fabs(xv * held[n * c.k + k]);
          }
          double tolerance = magnitude * 2e-6 + 1e-7;  // roundings of float sums
          if (takes_codes(dtype)) tolerance += coding_error(x.data() + r * c.k, held.data() + n * c.k, c.k);
          ASSERT_NEAR(y[r * c.n + n], sum, tolerance)
              << dtype_name(dtype) << " m=" << c.m << " n=" << c.n << " k=" << c.k << " at " << r << "," << n;
        }
      }
    }
  }
}

TEST_P(Linear, RowBytesDependOnTheRowAlone) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    // Several ranges of k, several panels per piece, and more rows than are taken together.
    const bool slow = GetParam() == Isa::scalar;
    const int64_t n = slow ? 40 : 100, k = slow ? 600 : 1111, most = slow ? 70 : 600;
    PackedLinear w(n, k, dtype);
    const std::vector<float> weights = random_values(n * k, 1), x = random_values(most * k, 2);
    w.pack_rows(compute, 0, n, weights.data(), DType::float32);
    const std::vector<float> all = product(w, x, most);
    for (const auto& [first, m] : {std::pair<int64_t, int64_t>{0, 1}, {most - 1, 1}, {3, 16}, {5, 33}, {20, 50}, {most - 65, 64}}) {
      const std::vector<float> part = product(w, {x.begin() + first * k, x.begin() + (first + m) * k}, m);
      ASSERT_EQ(0, std::memcmp(part.data(), all.data() + first * n, part.size() * sizeof(float)))
          << dtype_name(dtype) << " rows " << first << " + " << m;
    }
    for (int threads : {1, 3}) {
      ThreadPool other_pool(threads, false);
      const Compute other = make_compute(other_pool, GetParam());
      std::vector<float> y(all.size());
      const std::vector<bf16> narrow = as_bf16(x);
      HugeBuffer scratch(linear_scratch_bytes(other, w, most));
      linear(other, w,
             {.x = dtype == DType::float32 ? static_cast<const void*>(x.data()) : narrow.data(),
              .m = most,
              .y = y.data(),
              .y_stride = n,
              .y_dtype = DType::float32},
             scratch);
      ASSERT_EQ(0, std::memcmp(y.data(), all.data(), y.size() * sizeof(float))) << dtype_name(dtype) << " on " << threads << " threads";
    }
  }
}

TEST_P(Linear, SharesTheScalarBytesWhereItPromisesTo) {
  ThreadPool one(1);
  const Compute scalar = make_compute(one, Isa::scalar);
  const int64_t n = 70, k = 333, m = 37;
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    if (dtype == DType::bfloat16 && GetParam() >= Isa::avx512bf16) continue;  // sums in pairs or tiles there
    if (dtype == DType::int8 && GetParam() >= Isa::avx512vnni) continue;      // or of codes
    PackedLinear w(n, k, dtype);
    const std::vector<float> weights = random_values(n * k, 1), x = random_values(m * k, 2);
    w.pack_rows(compute, 0, n, weights.data(), DType::float32);
    const std::vector<float> fast = product(w, x, m);
    std::vector<float> slow(fast.size());
    const std::vector<bf16> narrow = as_bf16(x);
    HugeBuffer scratch(linear_scratch_bytes(scalar, w, m));
    linear(scalar, w,
           {.x = dtype == DType::float32 ? static_cast<const void*>(x.data()) : narrow.data(),
            .m = m,
            .y = slow.data(),
            .y_stride = n,
            .y_dtype = DType::float32},
           scratch);
    ASSERT_EQ(0, std::memcmp(fast.data(), slow.data(), slow.size() * sizeof(float))) << dtype_name(dtype);
  }
}

TEST_P(Linear, FinishesWithBiasGeluAccumulationAndRounding) {
  const int64_t n = 45, k = 64, m = 19, stride = 50;
  PackedLinear w(n, k, DType::bfloat16);
  const std::vector<float> weights = random_values(n * k, 1), x = random_values(m * k, 2, 0.3f), bias = random_values(n, 3),
                           before = random_values(m * stride, 4);
  w.pack_rows(compute, 0, n, weights.data(), DType::float32);
  const std::vector<bf16> narrow = as_bf16(x);
  const std::vector<float> plain = product(w, x, m);
  HugeBuffer scratch(linear_scratch_bytes(compute, w, m));

  std::vector<float> y = before;
  linear(
      compute, w,
      {.x = narrow.data(), .m = m, .y = y.data(), .y_stride = stride, .y_dtype = DType::float32, .bias = bias.data(), .accumulate = true},
      scratch);
  std::vector<bf16> rounded(static_cast<size_t>(m * stride), bf16{0x1234});
  linear(compute, w,
         {.x = narrow.data(), .m = m, .y = rounded.data(), .y_stride = stride, .y_dtype = DType::bfloat16, .activation = Activation::gelu},
         scratch);
  std::vector<float> activated(plain.size());
  gelu(compute, plain.data(), m * n, activated.data());
  for (int64_t r = 0; r < m; ++r) {
    for (int64_t c = 0; c < stride; ++c) {
      const int64_t at = r * stride + c;
      if (c < n) {
        ASSERT_EQ(y[at], before[at] + (plain[r * n + c] + bias[c]));
        ASSERT_EQ(rounded[at].bits, to_bf16(activated[r * n + c]).bits);
      } else {
        ASSERT_EQ(y[at], before[at]) << "wrote past its columns";
        ASSERT_EQ(rounded[at].bits, 0x1234) << "wrote past its columns";
      }
    }
  }
}

TEST_P(Linear, EveryInt8WeightIsMultipliedExactly) {
  // Each of the 255 values alone, in every place of a panel.
  const int64_t n = 64, k = 255;
  PackedLinear w(n, k, DType::int8);
  std::vector<int8_t> rows;
  std::vector<float> scales;
  for (int64_t r = 0; r < n; ++r) {
    scales.push_back(static_cast<float>(r + 1));
    for (int64_t i = 0; i < k; ++i) rows.push_back(static_cast<int8_t>((i + r) % 255 - 127));
  }
  w.pack_quantised_rows(compute, 0, n, rows.data(), scales.data());
  std::vector<float> x(static_cast<size_t>(k * k));
  for (int64_t i = 0; i < k; ++i) x[static_cast<size_t>(i * k + i)] = 3.0f;
  const std::vector<float> y = product(w, x, k);
  for (int64_t i = 0; i < k; ++i) {
    for (int64_t r = 0; r < n; ++r) {
      const float exact = 3.0f * static_cast<float>(rows[r * k + i]) * scales[r];
      if (takes_codes(DType::int8))
        ASSERT_FLOAT_EQ(y[i * n + r], exact) << i << "," << r;  // 3 is 127 times a rounded 3 / 127
      else
        ASSERT_EQ(y[i * n + r], exact) << i << "," << r;
    }
  }
}

TEST_P(Linear, CodesOfXGiveTheBytesOfTheirDefinition) {
  if (!takes_codes(DType::int8)) GTEST_SKIP() << "x stays bfloat16 on this level";
  // Whole and cut groups, several ranges, a group of zeros, one below the floor, an outlier, weights and x at their largest.
  const int64_t n = 70, k = 128 * 11 + 37, m = 27;
  std::vector<float> x = random_values(m * k, 2);
  std::fill_n(x.begin() + 128, 128, 0.0f);
  std::fill_n(x.begin() + 256, 128, 1e-32f);
  x[400] = 3000.0f;
  std::fill_n(x.begin() + k, k, 5.0f);
  std::fill_n(x.begin() + 2 * k, k, -5.0f);
  std::vector<int8_t> rows;
  for (float v : random_values(n * k, 1)) rows.push_back(static_cast<int8_t>(std::clamp(v * 60.0f, -127.0f, 127.0f)));
  std::fill_n(rows.begin(), k, int8_t{127});
  std::fill_n(rows.begin() + k, k, int8_t{-127});
  std::vector<float> scales;
  for (int64_t r = 0; r < n; ++r) scales.push_back(0.01f * static_cast<float>(r + 1));
  PackedLinear w(n, k, DType::int8);
  w.pack_quantised_rows(compute, 0, n, rows.data(), scales.data());
  const std::vector<float> y = product(w, x, m);
  for (int64_t r = 0; r < m; ++r)
    for (int64_t c = 0; c < n; ++c)
      ASSERT_EQ(y[r * n + c], coded_sum(x.data() + r * k, rows.data() + c * k, k) * scales[c]) << r << "," << c;
}

TEST_P(Linear, InfinityReachesItsRowAndNoOther) {
  PackedLinear w(33, 300, DType::int8);
  const std::vector<float> weights = random_values(33 * 300, 1);
  w.pack_rows(compute, 0, 33, weights.data(), DType::float32);
  std::vector<float> x = random_values(10 * 300, 2);
  const std::vector<float> clean = product(w, x, 10);
  x[4 * 300 + 200] = -INFINITY;
  const std::vector<float> y = product(w, x, 10);
  for (int64_t i = 0; i < 10 * 33; ++i) {
    if (i / 33 == 4)
      ASSERT_FALSE(std::isfinite(y[i]));
    else
      ASSERT_EQ(y[i], clean[i]);
  }
}

TEST_P(Linear, NanReachesItsRowAndNoOther) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    PackedLinear w(33, 70, dtype);
    const std::vector<float> weights = random_values(33 * 70, 1);
    w.pack_rows(compute, 0, 33, weights.data(), DType::float32);
    std::vector<float> x = random_values(20 * 70, 2);
    const std::vector<float> clean = product(w, x, 20);
    x[5 * 70 + 3] = NAN;
    const std::vector<float> y = product(w, x, 20);
    for (int64_t i = 0; i < 20 * 33; ++i) {
      if (i / 33 == 5)
        ASSERT_TRUE(std::isnan(y[i])) << dtype_name(dtype);
      else
        ASSERT_EQ(y[i], clean[i]) << dtype_name(dtype);
    }
  }
}

TEST_P(Linear, ZeroRowGivesZero) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    PackedLinear w(5, 40, dtype);
    const std::vector<float> weights = random_values(5 * 40, 1);
    w.pack_rows(compute, 0, 5, weights.data(), DType::float32);
    for (float v : product(w, std::vector<float>(40, 0.0f), 1)) EXPECT_EQ(v, 0.0f) << dtype_name(dtype);
  }
}

TEST_P(Linear, NoRowsIsNoWork) {
  PackedLinear w(5, 40, DType::bfloat16);
  HugeBuffer scratch(linear_scratch_bytes(compute, w, 0));
  linear(compute, w, {.x = nullptr, .m = 0, .y = nullptr, .y_stride = 5, .y_dtype = DType::float32}, scratch);
}

TEST_P(Linear, RefusesACallThatDoesNotFit) {
  PackedLinear w(5, 40, DType::bfloat16);
  HugeBuffer scratch(linear_scratch_bytes(compute, w, 1)), none;
  std::vector<bf16> x(40);
  std::vector<float> y(5);
  LinearCall call{.x = x.data(), .m = 1, .y = y.data(), .y_stride = 5, .y_dtype = DType::float32};
  linear(compute, w, call, scratch);
  EXPECT_THROW(linear(compute, w, call, none), Error);
  call.y_stride = 4;
  EXPECT_THROW(linear(compute, w, call, scratch), Error);
  call.y_stride = 5;
  call.y_dtype = DType::bfloat16;
  call.accumulate = true;
  EXPECT_THROW(linear(compute, w, call, scratch), Error);
}

TEST_P(Linear, ScratchForManyRowsServesFewer) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    PackedLinear w(3000, 40, dtype);
    size_t largest = 0;
    for (int64_t m = 1; m < 700; m += 13) largest = std::max(largest, linear_scratch_bytes(compute, w, m));
    EXPECT_LE(largest, linear_scratch_bytes(compute, w, 700)) << dtype_name(dtype);
  }
}

}  // namespace
EYRIE_EVERY_ISA(Linear);
}  // namespace eyrie::test
