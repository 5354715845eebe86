// The kernels on rows against the CPU's, at every kind of width, and what must hold beside: a row depends on itself alone, an order of
// threads never shows, what is no number stays in its row.

#include "cuda/kernels/rows.h"

#include <limits>
#include <random>

#include "cpu/vector/gelu.h"
#include "cpu/vector/layer_norm.h"
#include "engine/backend.h"
#include "test/cuda/row_checks.h"
#include "test/support/expect_error.h"

namespace eyrie::cuda::test {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr RowFormat kFormats[] = {RowFormat::bf16, RowFormat::e4m3, RowFormat::int8};
// Less than a warp, no multiple of 8, one to four eights a thread; Falcon-7B's, 40B's and 180B's.
constexpr int kWidths[] = {1, 7, 8, 48, 77, 264, 1001, 4544, 5003, 8192, 14848};

class Rows : public testing::Test {
 protected:
  void TearDown() override { emulation::set_seed(1); }
  Card card_;
  ThreadPool pool_{1, false};
  Compute compute_ = make_compute(pool_, Isa::scalar);
};

// --- add_norm ---

struct NormInput : gpu::NormInput {
  NormInput(int rows, int width, uint64_t seed)
      : gpu::NormInput(rows, width, [&](int64_t count, int number, float size) {
          return random_values(count, seed + static_cast<uint64_t>(number), size);
        }) {}
};

struct NormResult {
  std::vector<float> residual;
  std::vector<float> first, second;
  std::vector<uint8_t> bytes;
};

NormResult run_norm(Card& card, const NormInput& input, RowFormat first, RowFormat second, const std::vector<int32_t>& row_of = {},
                    bool keep_residual = true) {
  const DeviceBuffer residual = card.put(input.residual), attention = card.put(input.attention), mlp = card.put(input.mlp);
  std::vector<DeviceBuffer> vectors;
  for (const auto& vector : input.vectors) vectors.push_back(card.put(vector));
  const DeviceBuffer rows = card.put(row_of);
  const int count = row_of.empty() ? input.rows : static_cast<int>(row_of.size());
  Output one(card, first, count, input.width), two(card, second, count, input.width);
  AddNorm call;
  call.rows = count;
  call.hidden = input.width;
  call.residual = residual.as<float>();
  call.attention = attention.as<bf16>();
  call.mlp = mlp.as<bf16>();
  call.row_of = row_of.empty() ? nullptr : rows.as<int32_t>();
  call.keep_residual = keep_residual;
  call.first = {vectors[0].as<float>(), vectors[1].as<float>()};
  call.second = {vectors[2].as<float>(), vectors[3].as<float>()};
  call.first_out = one.out();
  call.second_out = two.out();
  add_norm(card.stream, call);
  NormResult result{card.get<float>(residual), one.read(card), two.read(card), one.bytes(card)};
  const std::vector<uint8_t> more = two.bytes(card);
  result.bytes.insert(result.bytes.end(), more.begin(), more.end());
  return result;
}

/// Within two ulp of bf16; the absolute part is for values near zero, which are differences of larger ones.
void expect_near_bf16(const std::vector<float>& seen, const std::vector<float>& expected) {
  ASSERT_EQ(seen.size(), expected.size());
  for (size_t i = 0; i < seen.size(); ++i) {
    ASSERT_NEAR(seen[i], expected[i], std::max(2 * bf16_ulp(expected[i]), 1e-5f)) << "value " << i;
  }
}

TEST_F(Rows, AddNormIsTheCpus) {
  for (const int width : kWidths) {
    SCOPED_TRACE(width);
    const NormInput input(3, width, static_cast<uint64_t>(width));
    const std::vector<float> sum = input.sum();
    std::vector<float> first(sum.size()), second(sum.size());
    const LayerNormOutput outputs[] = {{input.vectors[0].data(), input.vectors[1].data(), first.data()},
                                       {input.vectors[2].data(), input.vectors[3].data(), second.data()}};
    layer_norm(compute_, sum.data(), 3, width, 1e-5f, outputs, 2, DType::float32);
    for (const RowFormat format : kFormats) {
      const NormResult result = run_norm(card_, input, format, RowFormat::bf16);
      EXPECT_EQ(result.residual, sum);
      expect_near_bf16(result.second, second);
      if (format == RowFormat::bf16) {
        expect_near_bf16(result.first, first);
        continue;
      }
      // The same scale up to the last bits, and codes that are the same or, at a tie, neighbours.
      const std::vector<float> expected = rounded(first, width, format);
      const float largest = *std::max_element(first.begin(), first.end(), [](float a, float b) { return std::fabs(a) < std::fabs(b); });
      size_t different = 0;
      for (size_t i = 0; i < expected.size(); ++i) {
        const float step = format == RowFormat::e4m3 ? std::fabs(expected[i]) / 8 : 0.0f;
        ASSERT_NEAR(result.first[i], expected[i], std::max(step, std::fabs(largest) / 100)) << i;
        different += std::fabs(result.first[i] - expected[i]) > 1e-5f * std::fabs(largest) ? 1 : 0;
      }
      EXPECT_LE(different, expected.size() / 200);
    }
  }
}

TEST_F(Rows, OneNormAndPartialsThatAreMissing) {
  const NormInput input(2, 48, 5);
  const DeviceBuffer residual = card_.put(input.residual), mlp = card_.put(input.mlp), gain = card_.put(input.vectors[0]),
                     bias = card_.put(input.vectors[1]);
  Output out(card_, RowFormat::bf16, 2, 48);
  AddNorm call;
  call.rows = 2;
  call.hidden = 48;
  call.residual = residual.as<float>();
  call.first = {gain.as<float>(), bias.as<float>()};
  call.first_out = out.out();
  add_norm(card_.stream, call);
  EXPECT_EQ(card_.get<float>(residual), input.residual);
  call.mlp = mlp.as<bf16>();
  add_norm(card_.stream, call);
  std::vector<float> sum = input.residual;
  for (size_t i = 0; i < sum.size(); ++i) sum[i] += to_float(input.mlp[i]);
  EXPECT_EQ(card_.get<float>(residual), sum);
}

TEST_F(Rows, ARowIsTheSameAloneInACrowdAndThroughRowOf) {
  for (const int width : {77, 264, 8192}) {
    const NormInput crowd(5, width, 9);
    const NormResult all = run_norm(card_, crowd, RowFormat::e4m3, RowFormat::bf16);
    // Row 3, then a row that is skipped, then row 0; the residual of the others stays.
    const NormResult some = run_norm(card_, crowd, RowFormat::e4m3, RowFormat::bf16, {3, -1, 0});
    const auto row = [&](const std::vector<float>& v, int r) {
      return std::vector<float>(v.begin() + std::ptrdiff_t{r} * width, v.begin() + std::ptrdiff_t{r + 1} * width);
    };
    EXPECT_EQ(row(some.first, 0), row(all.first, 3));
    EXPECT_EQ(row(some.second, 0), row(all.second, 3));
    EXPECT_EQ(row(some.first, 2), row(all.first, 0));
    EXPECT_EQ(row(some.residual, 3), row(all.residual, 3));
    EXPECT_EQ(row(some.residual, 1), row(crowd.residual, 1));
    const NormResult without = run_norm(card_, crowd, RowFormat::e4m3, RowFormat::bf16, {3, -1, 0}, false);
    EXPECT_EQ(without.residual, crowd.residual);
    EXPECT_EQ(row(without.first, 0), row(all.first, 3));
  }
}

TEST_F(Rows, NoOrderOfThreadsShows) {
  const NormInput input(2, 1001, 3);
  const auto x = card_.put(as_bf16(random_values(2 * 1001, 4)));
  emulation::set_seed(1);
  const std::vector<uint8_t> norms = run_norm(card_, input, RowFormat::e4m3, RowFormat::int8).bytes;
  Output first(card_, RowFormat::e4m3, 2, 1001);
  gelu_rows(card_.stream, x.as<bf16>(), 2, 1001, first.out());
  for (uint64_t seed = 2; seed < 2 + kSeeds; ++seed) {
    emulation::set_seed(seed);
    EXPECT_EQ(run_norm(card_, input, RowFormat::e4m3, RowFormat::int8).bytes, norms);
    Output again(card_, RowFormat::e4m3, 2, 1001);
    gelu_rows(card_.stream, x.as<bf16>(), 2, 1001, again.out());
    EXPECT_EQ(again.bytes(card_), first.bytes(card_));
  }
}

TEST_F(Rows, NotANumberStaysInItsRow) {
  for (const float poison : {kNan, std::numeric_limits<float>::infinity()}) {
    for (const RowFormat format : kFormats) {
      NormInput input(3, 264, 11);
      const std::vector<float> clean = run_norm(card_, input, format, format).first;
      input.residual[264 + 100] = poison;
      const std::vector<float> seen = run_norm(card_, input, format, format).first;
      for (size_t i = 0; i < seen.size(); ++i) {
        if (i / 264 == 1) {
          ASSERT_TRUE(std::isnan(seen[i])) << i;
        } else {
          ASSERT_EQ(seen[i], clean[i]) << i;
        }
      }
    }
  }
}

TEST_F(Rows, RefusesWidthsBeyondTheKernels) {
  AddNorm call;
  call.rows = 1;
  call.hidden = 16392;
  eyrie::test::expect_error(ErrorCode::unsupported_device, "hidden size 16392", [&] { add_norm(card_.stream, call); });
}

// --- GELU and quantising ---

TEST_F(Rows, GeluIsTheCpusBitForBit) {
  for (const int width : {1, 7, 48, 77, 1001, 4096, 32768}) {
    SCOPED_TRACE(width);
    std::vector<float> x = random_values(3 * int64_t{width}, static_cast<uint64_t>(width), 3.0f);
    x[0] = -9.5f;  // far in the tail
    const std::vector<bf16> narrow = as_bf16(x);
    for (size_t i = 0; i < x.size(); ++i) x[i] = to_float(narrow[i]);
    std::vector<float> y(x.size());
    gelu(compute_, x.data(), static_cast<int64_t>(x.size()), y.data());
    for (float& v : y) v = to_float(to_bf16(v));
    const DeviceBuffer on_card = card_.put(narrow);
    for (const RowFormat format : kFormats) {
      Output out(card_, format, 3, width);
      gelu_rows(card_.stream, on_card.as<bf16>(), 3, width, out.out());
      EXPECT_EQ(out.read(card_), rounded(y, width, format));
    }
    gelu_rows(card_.stream, on_card.as<bf16>(), 3, width, {RowFormat::bf16, on_card.data(), nullptr});
    const std::vector<bf16> in_place = card_.get<bf16>(on_card);
    for (size_t i = 0; i < y.size(); ++i) ASSERT_EQ(to_float(in_place[i]), y[i]);
  }
}

TEST_F(Rows, QuantisesHotZeroAndTinyRows) {
  constexpr int kWidth = 136;
  std::vector<float> x = random_values(5 * kWidth, 21);
  for (int i = 0; i < kWidth; ++i) {
    x[kWidth + static_cast<size_t>(i)] = 0.0f;
    x[2 * kWidth + static_cast<size_t>(i)] *= 0x1p-120f;
  }
  x[3 * kWidth + 7] = 30000.0f;                                                      // a hot channel: e4m3 keeps the others, int8 does not
  for (int i = 0; i < kWidth; ++i) x[4 * kWidth + static_cast<size_t>(i)] *= 1e30f;  // a hot row
  const std::vector<bf16> narrow = as_bf16(x);
  for (size_t i = 0; i < x.size(); ++i) x[i] = to_float(narrow[i]);
  const DeviceBuffer on_card = card_.put(narrow);
  for (const RowFormat format : kFormats) {
    Output out(card_, format, 5, kWidth);
    quantise_rows(card_.stream, on_card.as<bf16>(), 5, kWidth, out.out());
    EXPECT_EQ(out.read(card_), rounded(x, kWidth, format));
    if (format == RowFormat::bf16) continue;
    const std::vector<float> scales = card_.get<float>(out.scales);
    EXPECT_EQ(scales[1], 1.0f);
    EXPECT_EQ(scales[2], 1.0f);
    EXPECT_EQ(scales[3], to_float(to_bf16(30000.0f)) / largest_code_of(format));
    const std::vector<float> values = out.read(card_);
    EXPECT_EQ(values[2 * kWidth], 0.0f);
    if (format == RowFormat::e4m3) {
      EXPECT_NEAR(values[3 * kWidth], x[3 * kWidth], 0.07f);
    }
  }
}

TEST_F(Rows, GeluOfNotANumberStaysInItsRow) {
  std::vector<float> x = random_values(3 * 64, 2);
  x[64 + 5] = kNan;
  const DeviceBuffer on_card = card_.put(as_bf16(x));
  for (const RowFormat format : kFormats) {
    Output out(card_, format, 3, 64);
    gelu_rows(card_.stream, on_card.as<bf16>(), 3, 64, out.out());
    const std::vector<float> values = out.read(card_);
    for (size_t i = 0; i < values.size(); ++i) {
      const bool poisoned = format == RowFormat::bf16 ? i == 64 + 5 : i / 64 == 1;
      ASSERT_EQ(std::isnan(values[i]), poisoned) << i;
    }
  }
}

TEST_F(Rows, RefusesRowsThatDoNotFitSharedMemory) {
  const DeviceBuffer x = card_.device.alloc(2 * 200000);
  Output out(card_, RowFormat::e4m3, 1, 200000);
  eyrie::test::expect_error(ErrorCode::unsupported_device, "rows of 200000 values",
                            [&] { gelu_rows(card_.stream, x.as<bf16>(), 1, 200000, out.out()); });
}

// --- the rest ---

TEST_F(Rows, EmbedsIdsDrawnTokensAndPadding) {
  for (const int hidden : {8, 13, 48, 4544}) {
    const std::vector<bf16> table = as_bf16(random_values(int64_t{10} * hidden, 31));
    const DeviceBuffer embedding = card_.put(table);
    const DeviceBuffer tokens = card_.put(std::vector<int32_t>{3, kDrawn, 7, kDrawn, 9}),
                       positions = card_.put(std::vector<int32_t>{0, 5, -1, 2, 1}), slots = card_.put(std::vector<int32_t>{0, 1, 0, 2, 0}),
                       drawn = card_.put(std::vector<int32_t>{4, 6, -1});
    const DeviceBuffer residual = card_.device.alloc(size_t{5} * static_cast<size_t>(hidden) * sizeof(float));
    embed(card_.stream, {5, tokens.as<int32_t>(), positions.as<int32_t>(), slots.as<int32_t>()}, drawn.as<int32_t>(), embedding.as<bf16>(),
          hidden, residual.as<float>());
    const std::vector<float> seen = card_.get<float>(residual);
    const int expected[] = {3, 6, -1, -1, 9};  // padding; a slot that has drawn nothing
    for (int row = 0; row < 5; ++row) {
      for (int i = 0; i < hidden; ++i) {
        const float want = expected[row] < 0 ? 0.0f : to_float(table[static_cast<size_t>(expected[row] * hidden + i)]);
        ASSERT_EQ(seen[static_cast<size_t>(row * hidden + i)], want) << row << " " << i;
      }
    }
  }
}

TEST_F(Rows, ScalesSums) {
  for (const int n : {1, 6, 8, 1028, 2050}) {
    std::mt19937 random(static_cast<unsigned>(n));
    std::vector<int32_t> sums(static_cast<size_t>(3 * n));
    for (int32_t& sum : sums) sum = static_cast<int32_t>(random() % 20000000) - 10000000;
    std::vector<float> x_scales = random_values(3, 1), w_scales = random_values(n, 2);
    x_scales[1] = kNan;
    const DeviceBuffer in = card_.put(sums), xs = card_.put(x_scales), ws = card_.put(w_scales);
    const DeviceBuffer y = card_.device.alloc(sums.size() * sizeof(bf16));
    scale_sums(card_.stream, in.as<int32_t>(), 3, n, xs.as<float>(), ws.as<float>(), y.as<bf16>());
    const std::vector<bf16> seen = card_.get<bf16>(y);
    for (size_t i = 0; i < seen.size(); ++i) {
      const size_t row = i / static_cast<size_t>(n), column = i % static_cast<size_t>(n);
      if (row == 1) {
        ASSERT_TRUE(std::isnan(to_float(seen[i])));
      } else {
        ASSERT_EQ(seen[i].bits, to_bf16(static_cast<float>(sums[i]) * x_scales[row] * w_scales[column]).bits);
      }
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda::test
