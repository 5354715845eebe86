// Packing: every source type, any order of blocks, and a faithful report of what happened to the values.

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "cpu/linear/linear.h"
#include "cpu/vector/embedding.h"
#include "error.h"
#include "numbers/float16.h"
#include "oracle.h"

namespace eyrie::test {
namespace {

class Packing : public EveryIsa {};

/// By definition: the nearest half, ties to even.
fp16 to_fp16(float v) {
  uint16_t best = 0;
  double distance = std::numeric_limits<double>::infinity();
  for (uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const double d = std::fabs(std::fabs(static_cast<double>(v)) - to_float(fp16{static_cast<uint16_t>(bits)}));
    if (d < distance || (d == distance && bits % 2 == 0)) distance = d, best = static_cast<uint16_t>(bits);
  }
  return fp16{static_cast<uint16_t>(best | (std::signbit(v) ? 0x8000 : 0))};
}

std::vector<float> rows_of(const PackedLinear& w) {
  std::vector<float> rows(static_cast<size_t>(w.n() * w.k()));
  for (int64_t r = 0; r < w.n(); ++r) w.read_row(r, rows.data() + r * w.k());
  return rows;
}

TEST(Float16, IsExactForEveryHalf) {
  EXPECT_EQ(to_float(fp16{0x3c00}), 1.0f);
  EXPECT_EQ(to_float(fp16{0xc000}), -2.0f);
  EXPECT_EQ(to_float(fp16{0x0001}), 0x1p-24f);
  EXPECT_EQ(to_float(fp16{0x83ff}), -0x1.ff8p-15f);
  EXPECT_EQ(to_float(fp16{0x7bff}), 65504.0f);
  EXPECT_TRUE(std::isinf(to_float(fp16{0x7c00})));
  EXPECT_TRUE(std::isnan(to_float(fp16{0x7e01})));
  for (uint32_t bits = 0x0400; bits < 0x7c00; ++bits)
    ASSERT_EQ(to_float(fp16{static_cast<uint16_t>(bits)}),
              std::ldexp(1.0f + static_cast<float>(bits & 0x3ff) / 1024.0f, static_cast<int>(bits >> 10) - 15));
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(to_bf16(1.0f).bits, 0x3f80);
  EXPECT_EQ(to_bf16(0x1.01p0f).bits, 0x3f80);      // halfway: to even
  EXPECT_EQ(to_bf16(0x1.03p0f).bits, 0x3f82);      // halfway: to even, upwards
  EXPECT_EQ(to_bf16(0x1.010002p0f).bits, 0x3f81);  // just above
  EXPECT_EQ(to_bf16(INFINITY).bits, 0x7f80);
  EXPECT_EQ(to_bf16(std::numeric_limits<float>::max()).bits, 0x7f80);
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::bit_cast<float>(0x7f800001u)))));
}

TEST_P(Packing, HoldsWhatWasGiven) {
  const int64_t n = 77, k = 95;
  const std::vector<float> values = random_values(n * k, 1);
  std::vector<bf16> narrow = as_bf16(values);
  std::vector<fp16> half;
  for (float v : values) half.push_back(to_fp16(v));
  for (DType dtype : {DType::float32, DType::bfloat16}) {
    for (DType source : {DType::float32, DType::bfloat16, DType::float16}) {
      const char* rows = source == DType::float32    ? reinterpret_cast<const char*>(values.data())
                         : source == DType::bfloat16 ? reinterpret_cast<const char*>(narrow.data())
                                                     : reinterpret_cast<const char*>(half.data());
      PackedLinear w(n, k, dtype);
      PackReport report;
      // Blocks of uneven size, from the end to the start.
      for (int64_t end = n, count = 1; end > 0; end -= count, count = std::min<int64_t>(end, count * 3 + 1)) {
        count = std::min(count, end);
        const PackReport part =
            w.pack_rows(compute, end - count, count, rows + (end - count) * k * static_cast<int64_t>(dtype_bytes(source)), source);
        report.rounded += part.rounded;
        report.nonfinite += part.nonfinite;
      }
      uint64_t rounded = 0;
      const std::vector<float> got = rows_of(w);
      for (size_t i = 0; i < values.size(); ++i) {
        const float given = source == DType::float32 ? values[i] : source == DType::bfloat16 ? to_float(narrow[i]) : to_float(half[i]);
        const float want = dtype == DType::float32 ? given : to_float(to_bf16(given));
        ASSERT_EQ(got[i], want) << dtype_name(source) << " to " << dtype_name(dtype) << " at " << i;
        rounded += want != given;
      }
      EXPECT_EQ(report.rounded, rounded);
      EXPECT_EQ(report.nonfinite, 0u);
    }
  }
}

TEST_P(Packing, Int8IsWithinHalfAStep) {
  const int64_t n = 40, k = 130;
  std::vector<float> values = random_values(n * k, 1);
  for (int64_t i = 0; i < k; ++i) values[7 * k + i] = 0;  // a row of zeros
  PackedLinear w(n, k, DType::int8);
  w.pack_rows(compute, 0, n, values.data(), DType::float32);
  const std::vector<float> got = rows_of(w);
  for (int64_t r = 0; r < n; ++r) {
    float largest = 0;
    for (int64_t i = 0; i < k; ++i) largest = std::max(largest, std::fabs(values[r * k + i]));
    for (int64_t i = 0; i < k; ++i) ASSERT_NEAR(got[r * k + i], values[r * k + i], largest / 127 / 2 * 1.0001f) << r << "," << i;
  }
}

TEST_P(Packing, QuantisedRowsRoundTrip) {
  const int64_t n = 35, k = 67;
  std::vector<int8_t> rows;
  std::vector<float> scales;
  for (int64_t i = 0; i < n * k; ++i) rows.push_back(static_cast<int8_t>(i * 37 % 255 - 127));
  for (int64_t r = 0; r < n; ++r) scales.push_back(0.5f + static_cast<float>(r));
  PackedLinear w(n, k, DType::int8);
  w.pack_quantised_rows(compute, 0, n, rows.data(), scales.data());
  const std::vector<float> got = rows_of(w);
  for (int64_t i = 0; i < n * k; ++i) ASSERT_EQ(got[i], scales[i / k] * static_cast<float>(rows[i]));
  rows[5] = -128;
  EXPECT_THROW(w.pack_quantised_rows(compute, 0, n, rows.data(), scales.data()), Error);
  rows[5] = 0;
  scales[3] = NAN;
  EXPECT_THROW(w.pack_quantised_rows(compute, 0, n, rows.data(), scales.data()), Error);
}

TEST_P(Packing, CountsWhatIsNotFinite) {
  for (DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
    std::vector<float> values = random_values(40 * 33, 1);
    values[3] = NAN;
    values[700] = INFINITY;
    PackedLinear w(40, 33, dtype);
    EXPECT_EQ(w.pack_rows(compute, 0, 40, values.data(), DType::float32).nonfinite, 2u) << dtype_name(dtype);
  }
}

TEST(PackedLinear, RefusesWhatItCannotHold) {
  ThreadPool pool(1);
  const Compute compute = make_compute(pool, Isa::scalar);
  EXPECT_THROW(PackedLinear(0, 4, DType::float32), Error);
  EXPECT_THROW(PackedLinear(4, 0, DType::float32), Error);
  EXPECT_THROW(PackedLinear(4, 4, DType::float16), Error);
  PackedLinear w(4, 4, DType::float32);
  const float rows[16] = {};
  const int8_t quantised[16] = {};
  EXPECT_THROW(w.pack_rows(compute, 1, 4, rows, DType::float32), Error);
  EXPECT_THROW(w.pack_rows(compute, -1, 2, rows, DType::float32), Error);
  EXPECT_THROW(w.pack_rows(compute, 0, 4, rows, DType::int8), Error);
  EXPECT_THROW(w.pack_quantised_rows(compute, 0, 4, quantised, rows), Error);
}

TEST_P(Packing, EmbedReadsRows) {
  const std::vector<float> values = random_values(50 * 20, 1);
  PackedLinear table(50, 20, DType::bfloat16);
  table.pack_rows(compute, 0, 50, values.data(), DType::float32);
  const int32_t ids[] = {49, 0, 7, 7};
  std::vector<float> x(4 * 20);
  embed(compute, table, ids, 4, x.data());
  for (int64_t i = 0; i < 80; ++i) ASSERT_EQ(x[i], to_float(to_bf16(values[ids[i / 20] * 20 + i % 20])));
  const int32_t outside[] = {50};
  EXPECT_THROW(embed(compute, table, outside, 1, x.data()), Error);
}

}  // namespace
EYRIE_EVERY_ISA(Packing);
}  // namespace eyrie::test
