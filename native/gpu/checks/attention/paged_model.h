#pragma once
// One layer's attention on a card: sequences whose queries, keys and values follow from their number and the position alone, a paged
// cache for them, and passes over any of their rows. Shared by the checks and by the tests of the emulation.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "cpu/rotary_table.h"
#include "cuda/kernels/attention.h"
#include "gpu/on_card.h"
#include "sampling/philox.h"

namespace eyrie::gpu::paged {

using cuda::AttentionPlan;
using cuda::AttentionShape;
using cuda::DeviceBuffer;
using cuda::kPageTokens;
using cuda::PagedCache;
using cuda::PassRows;
using cuda::RowChunk;
using cuda::RowFormat;
using cuda::RowsOut;

struct Heads {
  int query, kv, dim;
};

inline AttentionShape shape_of(const Heads& heads) {
  return {
      .query_heads = heads.query, .kv_heads = heads.kv, .head_dim = heads.dim, .scale = 1.0f / std::sqrt(static_cast<float>(heads.dim))};
}

/// A position of a sequence that lies in a slot.
struct Row {
  int sequence, slot, position;
};
inline constexpr Row kPadding{0, 0, -1};

/// Rows first to last of a sequence.
inline std::vector<Row> rows_of(int sequence, int slot, int first, int count) {
  std::vector<Row> rows;
  for (int i = 0; i < count; ++i) rows.push_back({sequence, slot, first + i});
  return rows;
}

/// How a pass is to be laid out.
struct Layout {
  std::vector<int32_t> singles;
  std::vector<RowChunk> tiles;
  int splits_max = 0;  // 0: what the rows need
};

inline Layout all_single(size_t rows) {
  Layout layout;
  layout.singles.resize(rows);
  std::iota(layout.singles.begin(), layout.singles.end(), 0);
  return layout;
}

/// Tiles of the given sizes, again and again, over rows of one sequence.
inline Layout in_tiles(int rows, const std::vector<int>& sizes) {
  Layout layout;
  for (int first = 0, i = 0; first < rows; ++i) {
    const int size = std::min(sizes[static_cast<size_t>(i) % sizes.size()], rows - first);
    layout.tiles.push_back({first, size});
    first += size;
  }
  return layout;
}

/// What a pass gave.
struct Output {
  std::vector<uint8_t> values;  // [rows][row_bytes]
  std::vector<float> scales;    // [rows]
  size_t row_bytes = 0;

  const bf16* row(size_t i) const { return reinterpret_cast<const bf16*>(values.data() + i * row_bytes); }
  std::vector<uint8_t> bytes(size_t i) const {
    // By resize and copy: gcc 12 takes a vector made from a pair of iterators, when it inlines it, for a free of a foreign pointer.
    std::vector<uint8_t> row(row_bytes);
    std::copy_n(values.data() + i * row_bytes, row_bytes, row.data());
    return row;
  }
};

class PagedModel {
 public:
  static constexpr int kLayers = 2, kLayer = 1, kPositions = 1300;

  PagedModel(const OnCard& card, const Heads& heads, int slots, int pages_per_slot, int pages = 0)
      : shape(shape_of(heads)), card_(card), rotary_(heads.dim, kPositions, 10000.0, false) {
    cache.pages = pages > 0 ? pages : slots * pages_per_slot + 1;
    cache.pages_per_slot = pages_per_slot;
    cache.kv_heads = heads.kv;
    cache.head_dim = heads.dim;
    memory_ = card_.device.alloc(sizeof(bf16) * static_cast<size_t>(cache.layer_values()) * kLayers);  // NaN all over, where poisoned
    cache.memory = memory_.data();
    cos_sin_ = card_.put(std::vector<float>(rotary_.cos(0), rotary_.cos(0) + int64_t{kPositions} * heads.dim));
    // Pages in an order that is not that of their positions.
    table.resize(static_cast<size_t>(slots * pages_per_slot));
    std::iota(table.begin(), table.end(), 0);
    std::shuffle(table.begin(), table.end(), std::mt19937(7));
  }

  int64_t width() const { return int64_t{shape.query_heads + 2 * shape.kv_heads} * shape.head_dim; }
  int64_t query_width() const { return int64_t{shape.query_heads} * shape.head_dim; }

  /// [q | k | v] as the product leaves them. Heads differ in size, so that one cannot be taken for the other.
  std::vector<bf16> qkv_of(const Row& row) const {
    std::vector<bf16> values(static_cast<size_t>(width()));
    const auto seed = static_cast<uint64_t>(row.sequence) << 32 | static_cast<uint32_t>(row.position);
    for (size_t i = 0; i < values.size(); ++i) {
      const float u = philox_uniform(seed, 1, i) + philox_uniform(seed, 2, i) - 1.0f;
      values[i] = to_bf16(u * (1.5f + static_cast<float>(i / static_cast<size_t>(shape.head_dim) % 5)));
    }
    const auto changed = changes.find({row.sequence, row.position});
    if (changed != changes.end())
      std::fill(values.begin() + query_width() + shape.kv_heads * shape.head_dim, values.end(), changed->second);
    return values;
  }

  /// The same after rotation, in float32.
  std::vector<float> rotated(const Row& row) const {
    const std::vector<bf16> from = qkv_of(row);
    std::vector<float> values(from.size());
    for (size_t i = 0; i < from.size(); ++i) values[i] = to_float(from[i]);
    const int64_t dim = shape.head_dim, half = dim / 2;
    const float *cos = rotary_.cos(row.position), *sin = rotary_.sin(row.position);
    for (int64_t head = 0; head < shape.query_heads + shape.kv_heads; ++head) {
      for (int64_t i = 0; i < half; ++i) {
        float &a = values[static_cast<size_t>(head * dim + i)], &b = values[static_cast<size_t>(head * dim + half + i)];
        const float x = a, y = b;
        a = to_float(to_bf16(x * cos[i] - y * sin[i]));
        b = to_float(to_bf16(y * cos[i] + x * sin[i]));
      }
    }
    return values;
  }

  /// Uploads the rows, rotates and appends; the rotated rows come back.
  std::vector<bf16> append(const std::vector<Row>& rows) {
    std::vector<bf16> qkv;
    std::vector<int32_t> positions, slots;
    for (const Row& row : rows) {
      std::vector<bf16> values = qkv_of(row);
      if (row.position < 0) std::fill(values.begin(), values.end(), bf16{0xffff});
      qkv.insert(qkv.end(), values.begin(), values.end());
      positions.push_back(row.position);
      slots.push_back(row.slot);
    }
    qkv_ = card_.put(qkv);
    positions_ = card_.put(positions);
    slots_ = card_.put(slots);
    table_ = card_.put(table);
    cache.page_table = table_.as<int32_t>();
    pass_ = {static_cast<int>(rows.size()), nullptr, positions_.as<int32_t>(), slots_.as<int32_t>()};
    rows_ = rows;
    rotate_and_append(card_.stream, pass_, shape, cos_sin_.as<float>(), qkv_.as<bf16>(), cache, kLayer);
    return card_.get<bf16>(qkv_);
  }

  /// Attends over the rows that were appended last.
  Output attend_rows(const Layout& layout, RowFormat format = RowFormat::bf16) {
    AttentionPlan plan;
    plan.single_rows = static_cast<int>(layout.singles.size());
    plan.tiles = static_cast<int>(layout.tiles.size());
    plan.splits_max = layout.splits_max;
    if (plan.splits_max == 0) {
      plan.splits_max = 1;
      for (const int32_t row : layout.singles)
        if (row >= 0) plan.splits_max = std::max(plan.splits_max, rows_[static_cast<size_t>(row)].position / kPageTokens + 1);
    }
    const DeviceBuffer singles = card_.put(layout.singles), tiles = card_.put(layout.tiles);
    plan.singles = singles.as<int32_t>();
    plan.tile_rows = tiles.as<RowChunk>();
    const DeviceBuffer scratch = card_.device.alloc(attention_scratch_bytes(shape, plan.single_rows, plan.splits_max));
    Output out;
    out.row_bytes = static_cast<size_t>(query_width()) * (format == RowFormat::bf16 ? 2 : 1);
    const DeviceBuffer values = card_.device.alloc(out.row_bytes * rows_.size()), scales = card_.device.alloc(sizeof(float) * rows_.size());
    const RowsOut target{format, values.data(), format == RowFormat::bf16 ? nullptr : scales.as<float>()};
    attend(card_.stream, pass_, shape, qkv_.as<bf16>(), cache, kLayer, plan, scratch.data(), target);
    out.values = card_.get<uint8_t>(values);
    out.scales = card_.get<float>(scales);
    return out;
  }

  Output run(const std::vector<Row>& rows, const Layout& layout, RowFormat format = RowFormat::bf16) {
    append(rows);
    return attend_rows(layout, format);
  }

  /// Keys (or values) of a position as they lie in the cache.
  std::vector<bf16> cached(int layer, int slot, int position, int kv_head, bool values) {
    const std::vector<bf16> all = card_.get<bf16>(memory_);
    const int64_t page = table[static_cast<size_t>(slot * cache.pages_per_slot + position / kPageTokens)];
    const int64_t at = layer * cache.layer_values() + page * cache.page_values() +
                       (int64_t{kv_head} * 2 + (values ? 1 : 0)) * kPageTokens * cache.head_dim +
                       int64_t{position % kPageTokens} * cache.head_dim;
    return {all.begin() + at, all.begin() + at + cache.head_dim};
  }
  std::vector<bf16> whole_cache() { return card_.get<bf16>(memory_); }
  void fill_cache(uint8_t byte) { card_.stream.fill(memory_.data(), byte, memory_.size()); }

  AttentionShape shape;
  PagedCache cache;
  std::vector<int32_t> table;                   // page table; uploaded by append()
  std::map<std::pair<int, int>, bf16> changes;  // (sequence, position) whose values are all this

 private:
  OnCard card_;
  RotaryTable rotary_;
  DeviceBuffer memory_, cos_sin_, qkv_, positions_, slots_, table_;
  PassRows pass_;
  std::vector<Row> rows_;
};

inline bool finite(const Output& out, size_t row) {
  for (size_t i = 0; i < out.row_bytes / 2; ++i)
    if (!std::isfinite(to_float(out.row(row)[i]))) return false;
  return true;
}

inline bool all_nan(const Output& out, size_t row) {
  for (size_t i = 0; i < out.row_bytes / 2; ++i)
    if (!std::isnan(to_float(out.row(row)[i]))) return false;
  return true;
}

}  // namespace eyrie::gpu::paged
