#include "cuda/pass/draws.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "error.h"

namespace eyrie::cuda {

namespace {

size_t mask_words(const DrawLimits& limits) { return (size_t{limits.vocab} + 31) / 32; }

/// A multiple of 16 bytes, so that the bitmaps behind them are aligned.
size_t rows_bytes(const DrawLimits& limits) { return (limits.rows_max * sizeof(SampleRow) + 15) / 16 * 16; }

/// Each slot draws at most once in a pass, so there are at most as many bitmaps as slots.
size_t block_bytes(const DrawLimits& limits) { return rows_bytes(limits) + size_t{limits.slots} * mask_words(limits) * sizeof(uint32_t); }

size_t scratch_bytes(const DrawLimits& limits) {
  return sampler_scratch_bytes(static_cast<int>(limits.head_rows_max), static_cast<int>(limits.vocab));
}

HeadResult to_head_result(const SampleResult& result) {
  HeadResult told;
  told.error = static_cast<DrawError>(result.error);
  told.token = result.token;
  told.logprob = result.logprob;
  const auto top = static_cast<size_t>(result.top_count);
  told.top_ids = {result.top_ids, top};
  told.top_logprobs = {result.top_logprobs, top};
  return told;
}

}  // namespace

uint64_t Draws::bytes_needed(const DrawLimits& limits) {
  return block_bytes(limits) + limits.rows_max * sizeof(SampleResult) + scratch_bytes(limits);
}

Draws::Draws(const Device& device, const DrawLimits& limits)
    : limits_(limits),
      block_(device.alloc(block_bytes(limits))),
      results_(device.alloc(limits.rows_max * sizeof(SampleResult))),
      scratch_(device.alloc(scratch_bytes(limits))),
      flights_{
          Flight{device.alloc_pinned(block_bytes(limits)), device.alloc_pinned(limits.rows_max * sizeof(SampleResult)), Event(device)},
          Flight{device.alloc_pinned(block_bytes(limits)), device.alloc_pinned(limits.rows_max * sizeof(SampleResult)), Event(device)}} {
  told_.reserve(limits.rows_max);
}

size_t Draws::compose(Flight& flight, std::span<const HeadRow> rows) const {
  auto* const to = flight.staging.as<SampleRow>();
  auto* const masks = reinterpret_cast<uint32_t*>(flight.staging.as<std::byte>() + rows_bytes(limits_));
  size_t masked = 0;
  for (size_t i = 0; i < rows.size(); ++i) {
    const HeadRow& row = rows[i];
    SampleRow sample;
    sample.logits_row = static_cast<int32_t>(row.index % limits_.head_rows_max);
    sample.slot = static_cast<int32_t>(row.slot);
    sample.draws = row.draws ? 1 : 0;
    sample.scored = row.scored;
    sample.top = row.top;
    if (row.allowed != nullptr) {
      if (masked == limits_.slots) throw Error(ErrorCode::internal_error, "more rows with a grammar than slots");
      std::memcpy(masks + masked * mask_words(limits_), row.allowed, mask_words(limits_) * sizeof(uint32_t));
      sample.mask = static_cast<int32_t>(masked++);
    }
    to[i] = sample;
  }
  return masked == 0 ? rows.size() * sizeof(SampleRow) : rows_bytes(limits_) + masked * mask_words(limits_) * sizeof(uint32_t);
}

void Draws::start(Stream& stream, std::span<const HeadRow> rows, float* logits, const SlotStates& states,
                  const std::function<void(uint32_t first)>& next_logits) {
  if (started_ - collected_ == flights_.size()) throw Error(ErrorCode::internal_error, "a third draw() before the first was collected");
  if (rows.size() > limits_.rows_max) {
    throw Error(ErrorCode::internal_error,
                "draw() of " + std::to_string(rows.size()) + " rows, planned were " + std::to_string(limits_.rows_max));
  }
  Flight& flight = flights_[started_ % flights_.size()];
  flight.rows = static_cast<uint32_t>(rows.size());
  ++started_;
  if (!rows.empty()) {
    stream.copy_to_device(block_.data(), flight.staging.data(), compose(flight, rows));
    const auto* const masks = reinterpret_cast<const uint32_t*>(block_.as<std::byte>() + rows_bytes(limits_));
    // Rows ascend, so those of one piece of logits lie side by side.
    uint32_t present = 0;
    for (size_t begin = 0; begin < rows.size();) {
      const uint32_t first = rows[begin].index / limits_.head_rows_max * limits_.head_rows_max;
      size_t end = begin + 1;
      while (end < rows.size() && rows[end].index < first + limits_.head_rows_max) ++end;
      if (first != present) next_logits(first);
      present = first;
      draw_rows(stream, logits, block_.as<SampleRow>() + begin, static_cast<int>(end - begin), masks, states, scratch_.data(),
                results_.as<SampleResult>() + begin);
      begin = end;
    }
    stream.copy_to_host(flight.results.data(), results_.data(), rows.size() * sizeof(SampleResult));
  }
  stream.record(flight.done);
}

std::span<const HeadResult> Draws::collect() {
  if (started_ == collected_) throw Error(ErrorCode::internal_error, "collect() without a draw()");
  const Flight& flight = flights_[collected_ % flights_.size()];
  ++collected_;
  flight.done.synchronize();
  told_.clear();
  const auto* const results = flight.results.as<SampleResult>();
  for (uint32_t i = 0; i < flight.rows; ++i) told_.push_back(to_head_result(results[i]));
  return told_;
}

}  // namespace eyrie::cuda
