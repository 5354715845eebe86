// The promise of attention: a row's bytes follow from its sequence and position alone. Prompt, chunks and steps give the same; so do other
// neighbours, slots, pages, plans and orders of threads.

#include "paged_model.h"

namespace eyrie::cuda::test {
namespace {

const Heads kSomeHeads[] = {{16, 1, 64}, {6, 2, 64}, {17, 1, 64}, {2, 1, 128}, {17, 1, 128}};

void expect_same_row(const Output& a, size_t row_a, const Output& b, size_t row_b, const std::string& what) {
  ASSERT_EQ(a.bytes(row_a), b.bytes(row_b)) << what << ", row " << row_a << " and row " << row_b;
}

TEST(AttentionBytes, PromptChunksAndStepsAreTheSame) {
  const int length = 330;
  for (const Heads& heads : kSomeHeads) {
    PagedModel model(heads, 2, 3);
    const Output prompt = model.run(rows_of(1, 0, 0, length), in_tiles(length, {kTileRows}));
    ASSERT_TRUE(finite(prompt, 0) && finite(prompt, length - 1));
    // Chunks of a prompt in passes of their own, cut anywhere.
    for (int first = 0, i = 0; first < length; ++i) {
      const int count = std::min(std::vector<int>{1, 7, 64, 190, 3}[static_cast<size_t>(i) % 5], length - first);
      const Output chunk = model.run(rows_of(1, 1, first, count), in_tiles(count, {3, 1, 8, 5, 2}));
      for (int r = 0; r < count; ++r) expect_same_row(prompt, static_cast<size_t>(first + r), chunk, static_cast<size_t>(r), "chunk");
      first += count;
    }
    // Rows that attend alone: the lengths at which something begins or ends.
    const std::vector<int> positions{0, 1, 14, 15, 62, 63, 64, 65, 127, 128, 191, 192, 253, 254, 255, 256, 257, 319, 320, length - 1};
    std::vector<Row> rows;
    for (const int position : positions) rows.push_back({1, 1, position});
    const Output steps = model.run(rows, all_single(rows.size()));
    for (size_t i = 0; i < rows.size(); ++i) expect_same_row(prompt, static_cast<size_t>(positions[i]), steps, i, "step");
  }
}

TEST(AttentionBytes, LongRowsAreTheSame) {
  const int length = 1203, tail = 13;
  for (const Heads& heads : {Heads{2, 1, 64}, Heads{2, 1, 128}}) {
    PagedModel model(heads, 1, 5);
    model.append(rows_of(3, 0, 0, length - tail));
    const std::vector<Row> rows = rows_of(3, 0, length - tail, tail);
    const Output tiles = model.run(rows, in_tiles(tail, {5, 8}));
    const Output singles = model.run(rows, all_single(rows.size()));
    for (size_t i = 0; i < rows.size(); ++i) {
      ASSERT_TRUE(finite(tiles, i));
      expect_same_row(tiles, i, singles, i, "length 1200");
    }
  }
}

TEST(AttentionBytes, NeighboursSlotsPagesAndPlansDoNotMatter) {
  const Heads heads{16, 1, 64};
  PagedModel alone(heads, 1, 2);
  alone.append(rows_of(1, 0, 0, 300));
  const Output wanted = alone.run({{1, 0, 300}}, all_single(1));

  PagedModel crowd(heads, 4, 3, 40);
  std::shuffle(crowd.table.begin(), crowd.table.end(), std::mt19937(11));
  for (int32_t& page : crowd.table) page += 20;
  crowd.append(rows_of(9, 0, 0, 520));
  crowd.append(rows_of(1, 3, 0, 300));
  crowd.append(rows_of(8, 1, 0, 41));
  // Decode rows of three sequences, a chunk of one of them, padding in rows, singles and tiles, and room for more splits than there are.
  std::vector<Row> rows{kPadding, {9, 0, 520}, {1, 3, 300}, kPadding};
  for (const Row& row : rows_of(8, 1, 41, 9)) rows.push_back(row);
  Layout layout;
  layout.singles = {1, -1, 2, 3};
  layout.tiles = {{0, 0}, {4, 8}, {12, 1}};
  layout.splits_max = 3;
  const Output crowded = crowd.run(rows, layout);
  expect_same_row(wanted, 0, crowded, 2, "in company");
  layout.singles = {3, 2, 0, 1, -1};
  expect_same_row(wanted, 0, crowd.attend_rows(layout), 2, "in another order");
  layout.singles = {1};
  layout.tiles = {{2, 1}};
  expect_same_row(wanted, 0, crowd.attend_rows(layout), 2, "as a tile");
  // What the pass does not name is not written: the poison of its memory is there.
  for (const uint8_t byte : crowded.bytes(0)) ASSERT_EQ(byte, 0xff);
  for (const uint8_t byte : crowded.bytes(3)) ASSERT_EQ(byte, 0xff);
}

TEST(AttentionBytes, OrderOfThreadsDoesNotMatter) {
  for (const Heads& heads : {Heads{4, 2, 64}, Heads{18, 1, 64}, Heads{3, 1, 128}}) {
    std::vector<Row> rows = rows_of(2, 0, 140, 13);
    rows.push_back({4, 1, 260});
    Layout layout = in_tiles(13, {8});
    layout.singles = {13};
    Output wanted;
    for (uint64_t seed = 1; seed <= 12; ++seed) {
      emulation::set_seed(seed);
      PagedModel model(heads, 2, 2);
      model.append(rows_of(2, 0, 0, 140));
      model.append(rows_of(4, 1, 0, 260));
      const Output out = model.run(rows, layout, RowFormat::e4m3);
      if (seed == 1) wanted = out;
      ASSERT_EQ(out.values, wanted.values) << "seed " << seed;
      ASSERT_EQ(out.scales, wanted.scales) << "seed " << seed;
    }
  }
}

}  // namespace
}  // namespace eyrie::cuda::test
