// The integer formulas of masses.h against wider arithmetic.

#include "sampling/masses.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "numbers/exp.h"
#include "sampling/philox.h"

namespace eyrie::test {
namespace {

__extension__ typedef unsigned __int128 Wide;

/// Totals of every size that occurs.
std::vector<uint64_t> totals() {
  std::vector<uint64_t> all;
  for (uint64_t i = 0; i < 600; ++i) {
    const uint64_t bits = uint64_t{philox_bits(5, i, 0)} << 40 | uint64_t{philox_bits(5, i, 1)} << 16 | philox_bits(5, i, 2) >> 8;
    all.push_back((uint64_t{1} << 40) + (bits >> (1 + i % 24)));
  }
  all.push_back(uint64_t{1} << 40);
  all.push_back((uint64_t{1} << 62) - 1);
  return all;
}

TEST(Masses, AMassIsTheFloorOfTheWeight) {
  EXPECT_EQ(mass_of(1.0f), uint64_t{1} << 40);
  EXPECT_EQ(mass_of(0.0f), 0u);
  EXPECT_EQ(mass_of(0x1p-40f), 1u);
  EXPECT_EQ(mass_of(0x1.fffffep-40f), 1u);
  EXPECT_EQ(mass_of(0x1.fffffep-41f), 0u);
  EXPECT_EQ(mass_of(0x1.fffffep-1f), (uint64_t{1} << 40) - (uint64_t{1} << 16));
  EXPECT_EQ(mass_of(exp_one(-kMassRange)), 0u);
  EXPECT_GT(mass_of(exp_one(-27.7f)), 0u);
}

TEST(Masses, TheLimitOfTopPIsExact) {
  for (const float p : {0.9f, 0.5f, 0.1f, 0.999f, 0x1.fffffep-1f, 1e-6f, 0x1p-40f, 1e-20f, 0x1p-126f, 1e-44f, 0x1p-149f}) {
    for (const uint64_t total : totals()) {
      int exponent;
      const auto significand = static_cast<uint64_t>(std::ldexp(std::frexp(p, &exponent), 24));
      const int shift = 24 - exponent;
      const Wide product = Wide{significand} * total;
      const uint64_t want = shift > 100 ? 1 : static_cast<uint64_t>((product + (Wide{1} << shift) - 1) >> shift);
      ASSERT_EQ(top_p_limit(p, total), want) << p << " of " << total;
      ASSERT_GE(want, 1u);
      ASSERT_LE(want, total);
    }
  }
}

TEST(Masses, TheTargetOfADrawIsExactAndBelowTheTotal) {
  for (const uint64_t total : totals()) {
    for (const uint32_t u : {0u, 1u, 0x800000u, 0xfffffeu, 0xffffffu, philox_bits(9, total, 0)}) {
      ASSERT_EQ(draw_target(u, total), static_cast<uint64_t>(Wide{u} * total >> 24));
      ASSERT_LT(draw_target(u, total), total);
    }
  }
}

TEST(Masses, TheLogOfASumIsThatOfDouble) {
  for (const uint64_t total : totals()) {
    const double log = std::log(static_cast<double>(total)) - 40 * std::log(2.0);
    ASSERT_NEAR(log_sum_of(0.0f, total), log, std::fabs(log) * 6e-8 + 1e-15);
    ASSERT_NEAR(log_sum_of(-7.5f, total), log - 7.5, std::fabs(log - 7.5) * 6e-8 + 1e-15);
  }
  EXPECT_EQ(log_sum_of(3.25f, uint64_t{1} << 40), 3.25f);  // one token: its probability is 1
}

}  // namespace
}  // namespace eyrie::test
