// Rows in 8 bits are those of the bfloat16 rows, by the rules of numbers/row_scale.h.

#include "cuda/kernels/numbers.h"
#include "numbers/row_scale.h"
#include "paged_model.h"

namespace eyrie::cuda::test {
namespace {

void expect_quantised(const Output& exact, const Output& out, size_t row, RowFormat format) {
  const size_t n = out.row_bytes;
  float largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(to_float(exact.row(row)[i])));
  const float scale = row_scale(largest, format == RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8);
  ASSERT_EQ(out.scales[row], scale) << "row " << row;
  for (size_t i = 0; i < n; ++i) {
    const float v = to_float(exact.row(row)[i]);
    const uint8_t wanted =
        format == RowFormat::e4m3 ? to_e4m3(v * reciprocal(scale)).bits : static_cast<uint8_t>(to_int8(v, reciprocal(scale)));
    ASSERT_EQ(out.values[row * n + i], wanted) << "row " << row << " value " << i;
  }
}

TEST(AttentionFormats, EightBitsAreThoseOfTheBfloat16Row) {
  for (const Heads& heads : {Heads{4, 2, 64}, Heads{71, 1, 64}, Heads{3, 1, 128}}) {
    PagedModel model(heads, 2, 2);
    model.append(rows_of(1, 0, 0, 290));
    std::vector<Row> rows = rows_of(1, 0, 290, 3);
    rows.push_back({2, 1, 0});
    rows.push_back(kPadding);
    Layout layout;
    layout.tiles = {{1, 2}, {0, 0}};
    layout.singles = {0, 3, -1, 4};
    model.changes[{2, 0}] = bf16{0};  // its only value: a row of zeros
    const Output exact = model.run(rows, layout);
    for (const RowFormat format : {RowFormat::e4m3, RowFormat::int8}) {
      const Output out = model.run(rows, layout, format);
      for (size_t row = 0; row < 4; ++row) expect_quantised(exact, out, row, format);
      ASSERT_EQ(out.scales[3], 1.0f);
      ASSERT_TRUE(std::isnan(out.scales[4]));  // the poison of what was not written
    }
  }
}

TEST(AttentionFormats, ARowWithNaNHasAScaleThatSaysSo) {
  PagedModel model({4, 2, 64}, 1, 1);
  model.changes[{1, 5}] = bf16{0x7fc0};
  const std::vector<Row> rows = rows_of(1, 0, 0, 8);
  for (const Layout& layout : {all_single(8), in_tiles(8, {8})}) {
    for (const RowFormat format : {RowFormat::e4m3, RowFormat::int8}) {
      const Output out = model.run(rows, layout, format);
      for (size_t row = 0; row < 8; ++row) ASSERT_EQ(std::isnan(out.scales[row]), row >= 5) << row;
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda::test
