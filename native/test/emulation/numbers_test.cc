// bf16 and e4m3: every value there and back, ties, and what lies outside.

#include "cuda/kernels/numbers.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <random>

namespace eyrie::cuda {
namespace {

/// The value of a code by the definition of the format.
double value_of(uint8_t code) {
  const int exponent = code >> 3 & 15, mantissa = code & 7;
  const double magnitude = exponent == 0 ? std::ldexp(mantissa, -9) : std::ldexp(8 + mantissa, exponent - 10);
  return (code & 0x80) != 0 ? -magnitude : magnitude;
}

TEST(Bf16, EveryValueComesBack) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const bf16 v{static_cast<uint16_t>(bits)};
    const float f = to_float(v);
    if (std::isnan(f)) {
      EXPECT_TRUE(std::isnan(to_float(to_bf16(f)))) << bits;
    } else {
      EXPECT_EQ(to_bf16(f).bits, bits);
    }
  }
}

TEST(Bf16, RoundsToNearestAndTiesToEven) {
  for (uint32_t bits = 0; bits < 0x7f80; ++bits) {
    const uint32_t below = bits << 16, middle = below + 0x8000;
    EXPECT_EQ(to_bf16(float_of(middle - 1)).bits, bits);
    EXPECT_EQ(to_bf16(float_of(middle)).bits, bits + (bits & 1));
    EXPECT_EQ(to_bf16(float_of(middle + 1)).bits, bits + 1);
  }
}

TEST(Bf16, NanStaysWhereOnlyLowBitsTellIt) {
  EXPECT_TRUE(std::isnan(to_float(to_bf16(float_of(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(to_float(to_bf16(float_of(0xff80ffffu)))));
}

TEST(E4m3, EveryValueIsThatOfTheFormatAndComesBack) {
  for (int code = 0; code < 256; ++code) {
    const float f = to_float(e4m3{static_cast<uint8_t>(code)});
    if ((code & 0x7f) == 0x7f) {
      EXPECT_TRUE(std::isnan(f)) << code;
      EXPECT_EQ(to_e4m3(f).bits, 0x7f) << code;
    } else {
      EXPECT_EQ(f, value_of(static_cast<uint8_t>(code))) << code;
      EXPECT_EQ(std::signbit(f), code >= 0x80) << code;
      EXPECT_EQ(to_e4m3(f).bits, code);
    }
  }
}

TEST(E4m3, RoundsToNearestAndTiesToEven) {
  const float up = std::numeric_limits<float>::infinity();
  for (int code = 0; code < 0x7e; ++code) {
    // Exact in float: a middle has one bit more than its neighbours.
    const auto middle = static_cast<float>((value_of(static_cast<uint8_t>(code)) + value_of(static_cast<uint8_t>(code + 1))) / 2);
    for (const int sign : {0, 0x80}) {
      const float s = sign == 0 ? 1.0f : -1.0f;
      EXPECT_EQ(to_e4m3(s * std::nextafter(middle, 0.0f)).bits, code | sign);
      EXPECT_EQ(to_e4m3(s * middle).bits, (code + (code & 1)) | sign) << middle;
      EXPECT_EQ(to_e4m3(s * std::nextafter(middle, up)).bits, (code + 1) | sign);
    }
  }
}

TEST(E4m3, SaturatesAndKeepsNan) {
  for (const float large : {448.0f, 449.0f, 464.0f, 480.0f, 1e30f, std::numeric_limits<float>::infinity()}) {
    EXPECT_EQ(to_e4m3(large).bits, 0x7e) << large;
    EXPECT_EQ(to_e4m3(-large).bits, 0xfe) << large;
  }
  EXPECT_EQ(to_e4m3(std::nanf("")).bits, 0x7f);
  EXPECT_EQ(to_e4m3(-std::nanf("")).bits, 0x7f);
  EXPECT_EQ(to_e4m3(std::numeric_limits<float>::denorm_min()).bits, 0);
  EXPECT_EQ(to_e4m3(-0.0f).bits, 0x80);
}

TEST(E4m3, RandomValuesGoToTheNearestCode) {
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) {
    const float v = float_of(static_cast<uint32_t>(random()));
    if (std::isnan(v) || std::fabs(v) > 448.0f) continue;
    const e4m3 code = to_e4m3(v);
    const double error = std::fabs(v - static_cast<double>(to_float(code)));
    for (const int step : {-1, 1}) {
      const int other = (code.bits & 0x7f) + step;
      if (other < 0 || other > 0x7e) continue;
      EXPECT_LE(error, std::fabs(v - value_of(static_cast<uint8_t>(other | (code.bits & 0x80))))) << v;
    }
  }
}

TEST(Words, HoldTheFirstElementInTheLowestBits) {
  EXPECT_EQ(pack(bf16{0x1234}, bf16{0xabcd}), 0xabcd1234u);
  EXPECT_EQ(low_half(0xabcd1234u).bits, 0x1234);
  EXPECT_EQ(high_half(0xabcd1234u).bits, 0xabcd);
  EXPECT_EQ(pack(e4m3{1}, e4m3{2}, e4m3{3}, e4m3{0xff}), 0xff030201u);
}

}  // namespace
}  // namespace eyrie::cuda
