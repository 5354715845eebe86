// What attention reads of the cache and what not, where rows are appended, and the copy of a prefix.

#include "../support/expect_error.h"
#include "paged_model.h"

namespace eyrie::cuda::test {
namespace {

TEST(AttentionCache, StalePagesAreNotSeen) {
  // The cache is NaN where nothing was written, and a former occupant of the page has left more.
  for (const Heads& heads : {Heads{4, 1, 64}, Heads{17, 1, 64}, Heads{4, 1, 128}}) {
    for (const int length : {1, 17, 64, 100, 255, 257}) {
      PagedModel clean(heads, 1, 2), stale(heads, 1, 2);
      clean.fill_cache(0);
      const std::vector<Row> rows = rows_of(1, 0, 0, length);
      Layout layout;
      const int tile = std::min(length, 5);
      layout.tiles = {{length - tile, tile}};
      const Output tiles = clean.run(rows, layout), stale_tiles = stale.run(rows, layout);
      layout = {.singles = {length - 1}, .tiles = {}};
      const Output single = clean.attend_rows(layout), stale_single = stale.attend_rows(layout);
      const auto last = static_cast<size_t>(length - 1);
      ASSERT_TRUE(finite(stale_single, last) && finite(stale_tiles, last));
      ASSERT_EQ(single.bytes(last), stale_single.bytes(last));
      ASSERT_EQ(single.values.size(), tiles.values.size());
      for (int r = length - tile; r < length; ++r)
        ASSERT_EQ(tiles.bytes(static_cast<size_t>(r)), stale_tiles.bytes(static_cast<size_t>(r)));
      ASSERT_EQ(single.bytes(last), tiles.bytes(last));
    }
  }
}

TEST(AttentionCache, LaterRowsOfATileAreNotSeen) {
  for (const Heads& heads : {Heads{4, 1, 64}, Heads{4, 1, 128}}) {
    for (const uint16_t bad : {0x7fc0, 0x7f80}) {  // NaN, infinity
      PagedModel model(heads, 1, 1);
      const std::vector<Row> rows = rows_of(1, 0, 56, 16);  // a block of keys ends among them
      model.append(rows_of(1, 0, 0, 56));
      const Output wanted = model.run(rows, in_tiles(16, {8}));
      model.changes[{1, 61}] = bf16{bad};
      const Output out = model.run(rows, in_tiles(16, {8}));
      for (size_t i = 0; i < 5; ++i) ASSERT_EQ(out.bytes(i), wanted.bytes(i)) << i;
      for (size_t i = 5; i < 16; ++i) ASSERT_FALSE(finite(out, i)) << i;
    }
  }
}

TEST(AttentionCache, ARowWithoutAPageIsNaNAndHurtsNobody) {
  const Heads heads{4, 2, 64};
  for (const int32_t missing : {-1, 1 << 28, 9}) {
    PagedModel model(heads, 2, 2, 9);
    model.append(rows_of(1, 0, 0, 300));
    model.append(rows_of(2, 1, 0, 300));
    std::vector<Row> rows = rows_of(1, 0, 300, 4);
    rows.push_back({2, 1, 300});
    rows.push_back({1, 0, 255});  // page 0 alone
    Layout layout;
    layout.singles = {3, 4, 5};
    layout.tiles = {{0, 3}};
    const Output wanted = model.run(rows, layout);
    model.table[1] = missing;  // slot 0, positions 256 on
    const Output out = model.run(rows, layout);
    for (size_t i = 0; i < 4; ++i) ASSERT_TRUE(all_nan(out, i)) << i;
    ASSERT_EQ(out.bytes(4), wanted.bytes(4));
    ASSERT_EQ(out.bytes(5), wanted.bytes(5));
  }
}

TEST(AttentionCache, APlanForShorterRowsGivesNaN) {
  PagedModel model({4, 1, 64}, 1, 2);
  model.append(rows_of(1, 0, 0, 300));
  Layout layout{.singles = {0}, .tiles = {}, .splits_max = 1};
  ASSERT_TRUE(all_nan(model.run({{1, 0, 300}}, layout), 0));
}

TEST(RotateAndAppend, WritesWhatTheCpuRotates) {
  for (const Heads& heads : {Heads{4, 2, 64}, Heads{3, 1, 128}, Heads{2, 1, 32}}) {
    PagedModel model(heads, 2, 3);
    const std::vector<Row> rows{{1, 1, 255}, kPadding, {1, 1, 256}, {2, 0, 0}, {3, 0, 700}};
    const std::vector<bf16> out = model.append(rows);
    size_t written = 0;
    for (size_t r = 0; r < rows.size(); ++r) {
      if (rows[r].position < 0) continue;
      const std::vector<float> wanted = model.rotated(rows[r]);
      for (size_t i = 0; i < static_cast<size_t>(model.query_width()); ++i)
        ASSERT_EQ(to_float(out[r * static_cast<size_t>(model.width()) + i]), wanted[i]) << "row " << r << " value " << i;
      for (int head = 0; head < 2 * heads.kv; ++head) {
        const std::vector<bf16> got = model.cached(PagedModel::kLayer, rows[r].slot, rows[r].position, head % heads.kv, head >= heads.kv);
        for (int i = 0; i < heads.dim; ++i)
          ASSERT_EQ(to_float(got[static_cast<size_t>(i)]), wanted[static_cast<size_t>(model.query_width() + head * heads.dim + i)])
              << "row " << r << " head " << head << " value " << i;
        written += static_cast<size_t>(heads.dim);
      }
    }
    size_t changed = 0;
    for (const bf16 v : model.whole_cache()) changed += v.bits != 0xffff;
    ASSERT_EQ(changed, written);
  }
}

TEST(RotateAndAppend, WritesNothingWithoutAPage) {
  PagedModel model({2, 1, 64}, 1, 1);
  model.table[0] = -1;
  model.append({{1, 0, 3}, {1, 0, 256}});  // the second is past the slot's end
  for (const bf16 v : model.whole_cache()) ASSERT_EQ(v.bits, 0xffff);
}

TEST(CopyPrefix, CopiesThePositionsAndNoMore) {
  for (const int tokens : {1, 255, 256, 300}) {
    PagedModel model({4, 2, 64}, 2, 2);
    model.append(rows_of(1, 0, 0, 400));
    copy_prefix(model.stream, model.cache, PagedModel::kLayers, 0, 1, tokens);
    for (int head = 0; head < 2; ++head) {
      for (const int position : {0, tokens / 2, tokens - 1}) {
        for (const bool values : {false, true}) {
          const auto from = model.cached(PagedModel::kLayer, 0, position, head, values),
                     to = model.cached(PagedModel::kLayer, 1, position, head, values);
          ASSERT_EQ(0, std::memcmp(from.data(), to.data(), from.size() * sizeof(bf16))) << position;
          ASSERT_NE(to[0].bits, 0xffff);
        }
      }
    }
    size_t filled = 0;
    for (const bf16 v : model.whole_cache()) filled += v.bits != 0xffff;
    ASSERT_EQ(filled, static_cast<size_t>((400 + tokens) * 2 * 2 * 64));
    // The slot goes on from there as if it had computed the prefix.
    const Output copied = model.run({{1, 1, tokens}}, all_single(1)), own = model.run({{1, 0, tokens}}, all_single(1));
    ASSERT_TRUE(finite(own, 0));
    ASSERT_EQ(copied.values, own.values);
  }
}

TEST(CopyPrefix, CopiesEveryLayerAndLeavesSharedPagesAlone) {
  PagedModel model({2, 1, 64}, 2, 2);
  model.fill_cache(0x11);
  model.table[2] = model.table[0];  // both slots share their first page
  model.append({{1, 0, 0}});
  model.append({{1, 0, 256}});
  copy_prefix(model.stream, model.cache, PagedModel::kLayers, 0, 1, 257);
  ASSERT_EQ(model.cached(1, 1, 256, 0, true)[5].bits, model.cached(1, 0, 256, 0, true)[5].bits);
  ASSERT_EQ(model.cached(0, 1, 256, 0, true)[5].bits, 0x1111);
  ASSERT_EQ(model.cached(1, 1, 0, 0, false)[5].bits, model.cached(1, 0, 0, 0, false)[5].bits);
  eyrie::test::expect_error(ErrorCode::internal_error, "513", [&] { copy_prefix(model.stream, model.cache, 2, 0, 1, 513); });
}

TEST(AttentionCalls, OtherShapesAreRefused) {
  PagedModel model({4, 2, 64}, 1, 1);
  model.append({{1, 0, 0}});
  const auto refused = [&](const char* what) {
    eyrie::test::expect_error(ErrorCode::internal_error, what, [&] { model.attend_rows(all_single(1)); });
  };
  model.shape.head_dim = 32;
  refused("head_dim is 32");
  model.shape.head_dim = 64;
  model.shape.query_heads = 5;
  refused("5 query heads");
  model.shape = shape_of({4, 1, 64});
  refused("the cache is of 2 heads");
}

}  // namespace
}  // namespace eyrie::cuda::test
