#include "cuda/pass/pass_inputs.h"

#include <algorithm>
#include <string>

#include "engine/scheduler.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

/// Parts begin at multiples of 16 bytes: kernels may load four numbers at once.
constexpr size_t kAlignment = 4;

bool is_decode_only(std::span<const PassSpan> spans, int slots) {
  return spans.size() <= static_cast<size_t>(slots) &&
         std::all_of(spans.begin(), spans.end(), [](const PassSpan& span) { return span.rows == 1 && span.head_rows == 1; });
}

}  // namespace

int splits_rung(int splits, int splits_max) {
  int rung = 1;
  // Between two powers of two there is one more rung: three halves of the lower one.
  for (int power = 1; rung < splits; power *= 2) {
    rung = power + power / 2;
    if (rung < splits) rung = power * 2;
  }
  return std::min(rung, splits_max);
}

PassInputs::Offsets PassInputs::offsets_for(const PassLimits& limits) {
  const auto rows = static_cast<size_t>(limits.rows_max);
  const auto slots = static_cast<size_t>(limits.slots);
  Offsets sizes{};
  for (const Part part : {kTokens, kPositions, kSlots, kHeadRowOf}) sizes[part] = rows;
  // A slot has one span in a pass: at most one row of it attends alone.
  sizes[kSingles] = slots;
  static_assert(sizeof(RowChunk) == 2 * sizeof(int32_t));
  sizes[kTiles] = 2 * (rows / kTileRows + slots);
  sizes[kPageTable] = slots * static_cast<size_t>(limits.pages_per_slot);
  Offsets offsets{};
  for (int part = 0; part < kParts; ++part) {
    offsets[part + 1] = offsets[part] + (sizes[part] + kAlignment - 1) / kAlignment * kAlignment;
  }
  return offsets;
}

uint64_t PassInputs::bytes_needed(const PassLimits& limits) { return offsets_for(limits)[kParts] * sizeof(int32_t); }

PassInputs::PassInputs(Device& device, const PassLimits& limits)
    : limits_(limits),
      offsets_(offsets_for(limits)),
      block_(device.alloc(bytes_needed(limits))),
      staging_{Staging{device.alloc_pinned(bytes_needed(limits)), Event(device)},
               Staging{device.alloc_pinned(bytes_needed(limits)), Event(device)}} {}

PassShape PassInputs::put(Stream& stream, std::span<const int32_t> tokens, std::span<const PassSpan> spans,
                          std::span<const int32_t> page_table) {
  if (tokens.size() > static_cast<size_t>(limits_.rows_max) || spans.size() > static_cast<size_t>(limits_.slots)) {
    throw Error(ErrorCode::internal_error, "a pass of " + std::to_string(tokens.size()) + " rows in " + std::to_string(spans.size()) +
                                               " sequences, planned were at most " + std::to_string(limits_.rows_max) + " in " +
                                               std::to_string(limits_.slots));
  }
  Staging& staging = staging_[static_cast<size_t>(next_)];
  next_ = 1 - next_;
  staging.copied.synchronize();
  auto* host = staging.memory.as<int32_t>();
  std::copy(tokens.begin(), tokens.end(), host + offsets_[kTokens]);
  std::copy(page_table.begin(), page_table.end(), host + offsets_[kPageTable]);
  PassShape shape;
  for (const PassSpan& span : spans) add_rows(shape, span, host);
  shape.decode_only = is_decode_only(spans, limits_.slots);
  if (shape.decode_only) pad_to_rung(shape, host);
  stream.copy_to_device(block_.data(), host, offsets_[kParts] * sizeof(int32_t));
  stream.record(staging.copied);
  return shape;
}

void PassInputs::add_rows(PassShape& shape, const PassSpan& span, int32_t* host) const {
  const int first_row = shape.rows;
  const auto rows = static_cast<int>(span.rows);
  if (first_row + rows > limits_.rows_max) throw Error(ErrorCode::internal_error, "the spans of a pass have more rows than it has tokens");
  for (int i = 0; i < rows; ++i) {
    const auto row = static_cast<size_t>(first_row + i);
    host[offsets_[kPositions] + row] = static_cast<int32_t>(span.first_position) + i;
    host[offsets_[kSlots] + row] = static_cast<int32_t>(span.slot);
    if (i >= rows - static_cast<int>(span.head_rows)) {
      host[offsets_[kHeadRowOf] + static_cast<size_t>(shape.head_rows)] = first_row + i;
      ++shape.head_rows;
    }
  }
  shape.rows += rows;
  add_chunks(shape, span, first_row, host);
}

void PassInputs::add_chunks(PassShape& shape, const PassSpan& span, int first_row, int32_t* host) const {
  auto* const tiles = reinterpret_cast<RowChunk*>(host + offsets_[kTiles]);
  const int end = first_row + static_cast<int>(span.rows);
  int row = first_row;
  while (end - row >= 2) {
    const int rows = std::min(kTileRows, end - row);
    tiles[shape.tiles++] = {row, rows};
    row += rows;
  }
  if (row == end) return;
  host[offsets_[kSingles] + static_cast<size_t>(shape.single_rows)] = row;
  ++shape.single_rows;
  const auto position = static_cast<int>(span.first_position) + (row - first_row);
  shape.splits_max = std::max(shape.splits_max, position / kPageTokens + 1);
}

void PassInputs::pad_to_rung(PassShape& shape, int32_t* host) const {
  const auto rung = static_cast<int>(decode_rung(static_cast<uint32_t>(shape.rows), static_cast<uint32_t>(limits_.slots)));
  for (int row = shape.rows; row < rung; ++row) {
    host[offsets_[kTokens] + static_cast<size_t>(row)] = 0;
    host[offsets_[kPositions] + static_cast<size_t>(row)] = -1;
    host[offsets_[kSlots] + static_cast<size_t>(row)] = 0;
    host[offsets_[kSingles] + static_cast<size_t>(row)] = -1;
    host[offsets_[kHeadRowOf] + static_cast<size_t>(row)] = -1;
  }
  shape.rows = shape.head_rows = shape.single_rows = rung;
  shape.splits_max = splits_rung(shape.splits_max, limits_.pages_per_slot);
}

PassRows PassInputs::rows(const PassShape& shape) const { return {shape.rows, part(kTokens), part(kPositions), part(kSlots)}; }

AttentionPlan PassInputs::attention(const PassShape& shape) const {
  return {shape.single_rows, part(kSingles), shape.splits_max, shape.tiles, reinterpret_cast<const RowChunk*>(part(kTiles))};
}

}  // namespace eyrie::cuda
