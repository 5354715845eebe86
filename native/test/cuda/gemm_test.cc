// Matrix products of the emulation against sums in double, and the choice of a class of bits, which is the card's alone but pure.

#include "cuda/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "cuda/gemm/bit_classes.h"
#include "cuda/kernels/numbers.h"
#include "test/cpu/oracle.h"
#include "test/support/expect_error.h"

namespace eyrie::cuda {
namespace {

using test::expect_error;
using test::random_values;

template <class T>
T* upload(Stream& stream, DeviceBuffer& buffer, const std::vector<T>& values) {
  stream.copy_to_device(buffer.data(), values.data(), values.size() * sizeof(T));
  stream.synchronize();
  return buffer.as<T>();
}

/// Operands of one format, and their exact values.
template <class T, class Make, class Read>
struct Operands {
  std::vector<T> stored;
  std::vector<double> values;
  Operands(int64_t count, uint64_t seed, Make make, Read read) {
    for (const float v : random_values(count, seed)) {
      stored.push_back(make(v));
      values.push_back(static_cast<double>(read(stored.back())));
    }
  }
};

class GemmTest : public testing::Test {
 protected:
  static constexpr int64_t kN = 150;
  static constexpr int64_t kK = 96;
  static constexpr int64_t kRowsMax = 37;

  template <class T, class Make, class Read>
  void check(RowFormat format, SumFormat result, Make make, Read read, double tolerance) {
    const Operands<T, Make, Read> x(kRowsMax * kK, 1, make, read);
    const Operands<T, Make, Read> w(kN * kK, 2, make, read);
    std::vector<float> x_scales = random_values(kRowsMax, 3);
    std::vector<float> w_scales = random_values(kN, 4);
    // One hot row and one hot channel: a mix-up of the two vectors, or of their order, shows at once.
    x_scales[5] = 1000;
    w_scales[77] = 500;
    DeviceBuffer dx = device_.alloc(x.stored.size() * sizeof(T));
    DeviceBuffer dw = device_.alloc(w.stored.size() * sizeof(T));
    DeviceBuffer dxs = device_.alloc(x_scales.size() * sizeof(float));
    DeviceBuffer dws = device_.alloc(w_scales.size() * sizeof(float));
    const auto gemm = open_gemm(device_, stream_, {{kN, kK, format, result, true, "test", 0}}, kRowsMax);
    const size_t value = result == SumFormat::bf16 ? 2 : 4;
    const auto padded = static_cast<size_t>(gemm->padded_rows(kRowsMax));
    DeviceBuffer dy = device_.alloc(padded * kN * value);
    GemmCall call{0, kRowsMax, upload(stream_, dx, x.stored), nullptr, upload(stream_, dw, w.stored), nullptr, dy.data()};
    if (format == RowFormat::e4m3) {
      call.x_scales = upload(stream_, dxs, x_scales);
      call.w_scales = upload(stream_, dws, w_scales);
    }
    gemm->run(stream_, call);
    std::vector<std::byte> y(kRowsMax * kN * value);
    stream_.copy_to_host(y.data(), dy.data(), y.size());
    stream_.synchronize();
    for (int64_t row = 0; row < kRowsMax; ++row) {
      for (int64_t n = 0; n < kN; ++n) {
        double sum = 0;
        double size = 0;
        for (int64_t k = 0; k < kK; ++k) {
          const double product = x.values[static_cast<size_t>(row * kK + k)] * w.values[static_cast<size_t>(n * kK + k)];
          sum += product;
          size += std::abs(product);
        }
        const double scale =
            format == RowFormat::e4m3 ? double{x_scales[static_cast<size_t>(row)]} * w_scales[static_cast<size_t>(n)] : 1.0;
        const double got = value_at(y, row * kN + n, result);
        ASSERT_NEAR(got, sum * scale, tolerance * std::abs(scale) * size) << row << ", " << n;
      }
    }
    // A row's bytes do not depend on how many rows there are.
    call.m = 3;
    gemm->run(stream_, call);
    std::vector<std::byte> few(3 * kN * value);
    stream_.copy_to_host(few.data(), dy.data(), few.size());
    stream_.synchronize();
    EXPECT_EQ(std::memcmp(few.data(), y.data(), few.size()), 0);
  }

  static double value_at(const std::vector<std::byte>& y, int64_t index, SumFormat format) {
    const auto i = static_cast<size_t>(index);
    if (format == SumFormat::bf16) return to_float(reinterpret_cast<const bf16*>(y.data())[i]);
    if (format == SumFormat::int32) return reinterpret_cast<const int32_t*>(y.data())[i];
    return reinterpret_cast<const float*>(y.data())[i];
  }

  Device device_;
  Stream stream_{device_};
};

TEST_F(GemmTest, MultipliesBfloat16) {
  const auto make = [](float v) { return to_bf16(v); };
  const auto read = [](bf16 v) { return to_float(v); };
  check<bf16>(RowFormat::bf16, SumFormat::float32, make, read, 1e-6);
  check<bf16>(RowFormat::bf16, SumFormat::bf16, make, read, 4e-3);
}

TEST_F(GemmTest, MultipliesE4m3WithAScalePerRowAndChannel) {
  const auto make = [](float v) { return to_e4m3(v * 50); };
  const auto read = [](e4m3 v) { return to_float(v); };
  check<e4m3>(RowFormat::e4m3, SumFormat::float32, make, read, 1e-6);
  check<e4m3>(RowFormat::e4m3, SumFormat::bf16, make, read, 4e-3);
}

TEST_F(GemmTest, MultipliesInt8Exactly) {
  check<int8_t>(
      RowFormat::int8, SumFormat::int32, [](float v) { return static_cast<int8_t>(std::lround(std::clamp(v * 60, -127.0f, 127.0f))); },
      [](int8_t v) { return v; }, 0);
}

TEST_F(GemmTest, RefusesWhatACardWouldRefuse) {
  expect_error(ErrorCode::unsupported_device, "multiple of 16",
               [&] { open_gemm(device_, stream_, {{8, 24, RowFormat::bf16, SumFormat::bf16, true, "odd", 0}}, 4); });
  expect_error(ErrorCode::unsupported_device, "int8 gives int32",
               [&] { open_gemm(device_, stream_, {{8, 16, RowFormat::int8, SumFormat::bf16, true, "odd", 0}}, 4); });
}

TEST(BitClassesTest, TakesTheClassThatStandsHighestInTheLibrarysOrder) {
  // Class 7 is first where 5 is faster; timing does not choose between them.
  const ClassChoice choice = choose_class({{{5, 1.0f}, {7, 9.0f}}, {{7, 9.0f}, {5, 1.0f}}, {{7, 9.0f}, {5, 1.0f}}});
  EXPECT_EQ(choice.bits, 7u);
  EXPECT_EQ(choice.fastest, (std::vector<int>{1, 0, 0}));
}

TEST(BitClassesTest, TakesTheFastestOfTheClass) {
  const ClassChoice choice = choose_class({{{3, 5.0f}, {3, 2.0f}, {4, 1.0f}}, {{3, 2.0f}, {3, 4.0f}}});
  EXPECT_EQ(choice.bits, 3u);
  EXPECT_EQ(choice.fastest, (std::vector<int>{1, 0}));
}

TEST(BitClassesTest, TakesAClassThatTheLargestRowsHave) {
  const ClassChoice choice = choose_class({{{1, 1.0f}}, {{1, 1.0f}}, {{2, 1.0f}}});
  EXPECT_EQ(choice.bits, 2u);
  EXPECT_EQ(choice.fastest, (std::vector<int>{-1, -1, 0}));
}

TEST(BitClassesTest, DoesNotDependOnTiming) {
  std::vector<std::vector<Candidate>> buckets{{{1, 1}, {2, 1}}, {{2, 1}, {1, 1}}, {{1, 1}, {2, 1}}};
  const uint64_t bits = choose_class(buckets).bits;
  for (float time = 0; time < 20; ++time) {
    for (auto& bucket : buckets) {
      for (Candidate& one : bucket) one.microseconds = static_cast<float>((static_cast<int>(time) * 7 + one.bits * 13) % 11);
    }
    EXPECT_EQ(choose_class(buckets).bits, bits);
  }
}

}  // namespace
}  // namespace eyrie::cuda
