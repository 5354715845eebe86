// LayerNorm, GELU, rotary and the row kernels: near the double oracle, and the same bytes on every level.

#include <bit>
#include <cmath>
#include <cstring>

#include "cpu/vector/alibi.h"
#include "cpu/vector/gelu.h"
#include "cpu/vector/layer_norm.h"
#include "cpu/vector/rotary.h"
#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "numbers/exp.h"
#include "numbers/gelu.h"
#include "oracle.h"
#include "sampling/masses.h"

namespace eyrie::test {
namespace {

class Elementwise : public EveryIsa {
 protected:
  ThreadPool one{1};
  Compute reference = make_compute(one, Isa::scalar);
};

/// Bitwise, so that NaN equals NaN and -0 differs from 0.
void expect_same_bytes(const std::vector<float>& a, const std::vector<float>& b, const char* what) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i)
    ASSERT_EQ(std::bit_cast<uint32_t>(a[i]), std::bit_cast<uint32_t>(b[i])) << what << " at " << i << ": " << a[i] << " and " << b[i];
}

TEST_P(Elementwise, GeluKeepsRelativeAccuracyInTheTail) {
  std::vector<float> x;
  for (float v = -13.0f; v <= 13.0f; v += 1e-3f) x.push_back(v);
  std::vector<float> y(x.size()), scalar_y(x.size());
  gelu(compute, x.data(), static_cast<int64_t>(x.size()), y.data());
  gelu(reference, x.data(), static_cast<int64_t>(x.size()), scalar_y.data());
  expect_same_bytes(y, scalar_y, "gelu");
  for (size_t i = 0; i < x.size(); ++i) scalar_y[i] = gelu_one(x[i]);
  expect_same_bytes(y, scalar_y, "gelu of one value");
  for (size_t i = 0; i < x.size(); ++i) {
    const double v = x[i], want = 0.5 * v * std::erfc(-v / std::sqrt(2.0));
    ASSERT_NEAR(y[i], want, 5e-6 * std::fabs(want)) << "x = " << v;
  }
}

TEST_P(Elementwise, GeluRoundsToTheSameBfloat16AsErfUpToOneUlp) {
  // Every finite bfloat16 whose result is a normal number.
  for (uint32_t bits = 0; bits < 65536; ++bits) {
    const float x = to_float(bf16{static_cast<uint16_t>(bits)});
    const double want = 0.5 * x * std::erfc(-static_cast<double>(x) / std::sqrt(2.0));
    if (!std::isfinite(x) || (want != 0 && std::fabs(want) < 1.2e-38)) continue;
    float y;
    gelu(compute, &x, 1, &y);
    const int got = to_bf16(y).bits, expected = to_bf16(static_cast<float>(want)).bits;
    ASSERT_LE(std::abs(got - expected), 1) << "x = " << x << ": " << y << " for " << want;
  }
}

TEST_P(Elementwise, GeluOfNanIsNan) {
  const float x = NAN;
  float y = 0;
  gelu(compute, &x, 1, &y);
  EXPECT_TRUE(std::isnan(y));
}

TEST_P(Elementwise, ExpIsExactAtZeroAndVanishesBelow) {
  const float x[] = {0.0f, -INFINITY, -87.4f, -1.0f, -20.0f, NAN, 3.0f};
  float y[7];
  compute.vector->exp(x, 7, 0.0f, y);
  EXPECT_EQ(y[0], 1.0f);
  EXPECT_EQ(y[1], 0.0f);
  EXPECT_EQ(y[2], 0.0f);
  EXPECT_TRUE(std::isnan(y[5]));
  for (int i : {3, 4, 6}) EXPECT_NEAR(y[i], std::exp(static_cast<double>(x[i])), 3e-7 * std::exp(static_cast<double>(x[i])));
}

TEST_P(Elementwise, ExpOfOneValueHasTheBytesOfTheVectors) {
  std::vector<float> x = {0.0f, -0.0f, -INFINITY, INFINITY, -87.3f, -87.4f, 88.3f, 89.0f, 1e-40f, -1e-40f, -3e38f, 3e38f};
  for (float v = -90.0f; v <= 90.0f; v += 1.7e-3f) x.push_back(v);
  std::vector<float> y(x.size()), one_y(x.size());
  compute.vector->exp(x.data(), static_cast<int64_t>(x.size()), 0.0f, y.data());
  for (size_t i = 0; i < x.size(); ++i) one_y[i] = exp_one(x[i]);
  expect_same_bytes(y, one_y, "exp");
  EXPECT_TRUE(std::isnan(exp_one(NAN)));
}

TEST_P(Elementwise, LayerNormMatchesDouble) {
  for (int64_t hidden : {1, 7, 16, 64, 71, 1024, 4544}) {
    const int64_t m = 3;
    std::vector<float> x = random_values(m * hidden, 1, 3.0f);
    for (float& v : x) v += 5.0f;  // a mean far from zero
    const std::vector<float> w1 = random_values(hidden, 2), b1 = random_values(hidden, 3), w2 = random_values(hidden, 4),
                             b2 = random_values(hidden, 5);
    std::vector<float> y1(x.size()), y2(x.size()), s1(x.size()), s2(x.size());
    const LayerNormOutput outputs[] = {{w1.data(), b1.data(), y1.data()}, {w2.data(), b2.data(), y2.data()}};
    const LayerNormOutput scalar_outputs[] = {{w1.data(), b1.data(), s1.data()}, {w2.data(), b2.data(), s2.data()}};
    layer_norm(compute, x.data(), m, hidden, 1e-5f, outputs, 2, DType::float32);
    layer_norm(reference, x.data(), m, hidden, 1e-5f, scalar_outputs, 2, DType::float32);
    expect_same_bytes(y1, s1, "layer_norm 1");
    expect_same_bytes(y2, s2, "layer_norm 2");
    std::vector<bf16> narrow(x.size());
    const LayerNormOutput rounded[] = {{w1.data(), b1.data(), narrow.data()}};
    layer_norm(compute, x.data(), m, hidden, 1e-5f, rounded, 1, DType::bfloat16);
    for (int64_t r = 0; r < m; ++r) {
      double mean = 0, variance = 0;
      for (int64_t i = 0; i < hidden; ++i) mean += x[r * hidden + i];
      mean /= static_cast<double>(hidden);
      for (int64_t i = 0; i < hidden; ++i) variance += (x[r * hidden + i] - mean) * (x[r * hidden + i] - mean);
      variance /= static_cast<double>(hidden);
      for (int64_t i = 0; i < hidden; ++i) {
        const double normal = (x[r * hidden + i] - mean) / std::sqrt(variance + 1e-5);
        ASSERT_NEAR(y1[r * hidden + i], normal * w1[i] + b1[i], 2e-5) << "hidden " << hidden;
        ASSERT_NEAR(y2[r * hidden + i], normal * w2[i] + b2[i], 2e-5) << "hidden " << hidden;
        ASSERT_EQ(narrow[r * hidden + i].bits, to_bf16(y1[r * hidden + i]).bits);
      }
    }
  }
}

TEST_P(Elementwise, RotaryTurnsPairsByTheirAngle) {
  for (int64_t head_dim : {2, 6, 32, 64, 128}) {
    const int64_t heads = 3, m = 4, stride = heads * head_dim + 5;
    const RotaryTable table(head_dim, 2048, 10000.0, false);
    const int32_t positions[] = {0, 1, 100, 2047};
    const std::vector<float> before = random_values(m * stride, 1);
    std::vector<float> rows = before, scalar_rows = before;
    rotary(compute, table, rows.data(), stride, m, heads, positions);
    rotary(reference, table, scalar_rows.data(), stride, m, heads, positions);
    expect_same_bytes(rows, scalar_rows, "rotary");
    for (int64_t r = 0; r < m; ++r) {
      for (int64_t i = 0; i < stride; ++i) {
        const int64_t at = r * stride + i, d = i % head_dim, half = head_dim / 2;
        if (i >= heads * head_dim) {
          ASSERT_EQ(rows[at], before[at]);
          continue;
        }
        const double angle = positions[r] * std::pow(10000.0, -2.0 * static_cast<double>(d % half) / static_cast<double>(head_dim));
        const double c = std::cos(angle), s = std::sin(angle);
        const double want = d < half ? before[at] * c - before[at + half] * s : before[at] * c + before[at - half] * s;
        ASSERT_NEAR(rows[at], want, 1e-3) << "position " << positions[r];  // the float angle of position 2,047 is 1e-4 off
      }
    }
  }
}

TEST(Rotary, RoundedTableHoldsBfloat16) {
  const RotaryTable table(64, 100, 10000.0, true);
  for (int64_t p = 0; p < 100; ++p)
    for (int64_t i = 0; i < 32; ++i) ASSERT_EQ(table.cos(p)[i], to_float(to_bf16(table.cos(p)[i])));
}

TEST(Rotary, RefusesWhatItCannotTurn) {
  ThreadPool pool(1);
  const Compute compute = make_compute(pool, Isa::scalar);
  EXPECT_THROW(RotaryTable(7, 10, 10000.0, false), Error);
  EXPECT_THROW(RotaryTable(8, 10, 0.0, false), Error);
  const RotaryTable table(8, 10, 10000.0, false);
  float row[8] = {};
  const int32_t past_the_end = 10;
  EXPECT_THROW(rotary(compute, table, row, 8, 1, 1, &past_the_end), Error);
}

TEST(Alibi, SlopesOfPowersOfTwoAndOthers) {
  const std::vector<float> eight = alibi_slopes(8);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(eight[i], std::exp2(-static_cast<float>(i + 1)));
  // 6 heads: those of 4, then every other one of 8.
  const std::vector<float> six = alibi_slopes(6);
  const float want[] = {0.25f, 0.0625f, 0.015625f, 0.00390625f, 0.5f, 0.125f};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(six[i], want[i]);
}

TEST(Alibi, PositionsRoundAsInBfloat16) {
  EXPECT_EQ(alibi_bias(1.0f, 256), 256.0f);
  EXPECT_EQ(alibi_bias(1.0f, 257), 256.0f);
  EXPECT_EQ(alibi_bias(1.0f, 2047), 2048.0f);
}

TEST_P(Elementwise, SumsTheMassesOfTheWeights) {
  constexpr float kBest = 3.7f;
  // Near the last logit that has a mass, beyond what has none, and where e^x itself ends.
  std::vector<float> x = {kBest,         -INFINITY,     kBest - 27.7f,  kBest - 27.72f, kBest - 27.73f,
                          kBest - 28.4f, kBest - 28.6f, kBest - 87.29f, kBest - 87.4f,  kBest - 1e30f};
  for (const float z : random_values(40000, 11, 14.0f)) x.push_back(std::min(z - 10.0f, kBest));
  for (float z = kBest - 27.8f; z < kBest - 27.6f; z = std::nextafterf(z, kBest)) x.push_back(z);
  uint64_t expected = 0;
  std::vector<uint64_t> expected_blocks((x.size() + kMassBlock - 1) / kMassBlock, 0), blocks(expected_blocks.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const uint64_t mass = mass_of(exp_one(x[i] - kBest));
    expected += mass;
    expected_blocks[i / kMassBlock] += mass;
  }
  EXPECT_EQ(compute.vector->sum_masses(x.data(), static_cast<int64_t>(x.size()), kBest, blocks.data()), expected);
  EXPECT_EQ(blocks, expected_blocks);
}

TEST_P(Elementwise, RowKernelsMatchTheScalarBytes) {
  for (int64_t n : {1, 15, 16, 17, 100, 1024, 1031, 5000}) {
    std::vector<float> x = random_values(n, 7, 4.0f);
    const VectorKernels &a = *compute.vector, &b = *reference.vector;
    EXPECT_EQ(a.max(x.data(), n).value, b.max(x.data(), n).value);
    std::vector<uint64_t> blocks(5), scalar_blocks(5);
    EXPECT_EQ(a.sum_masses(x.data(), n, 16.0f, blocks.data()), b.sum_masses(x.data(), n, 16.0f, scalar_blocks.data()));
    EXPECT_EQ(blocks, scalar_blocks);
    EXPECT_EQ(a.find(x.data(), n, x[n - 1]), b.find(x.data(), n, x[n - 1]));
    EXPECT_EQ(a.find(x.data(), n, 1e9f), n);
    EXPECT_FALSE(a.max(x.data(), n).has_nan);
    x[n / 2] = NAN;
    EXPECT_TRUE(a.max(x.data(), n).has_nan);
  }
}

}  // namespace
EYRIE_EVERY_ISA(Elementwise);
}  // namespace eyrie::test
