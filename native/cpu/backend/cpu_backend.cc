#include "cpu/backend/cpu_backend.h"

#include <algorithm>
#include <utility>

#include "cpu/backend/numerics_version.h"

namespace eyrie {

namespace {

// Logits a thread handles at a time: below that, waking another thread takes longer than the rows.
constexpr int64_t kLogitsPerPiece = 16'384;

}  // namespace

CpuBackend::CpuBackend(const FalconConfig& config, DType dtype, std::unique_ptr<FalconWeights> weights, const Compute& compute,
                       const BatchShape& shape)
    : compute_(compute),
      vocab_(config.vocab_size),
      head_rows_max_(shape.head_rows_max),
      model_(config, dtype, std::move(weights), compute, shape.slots, shape.slot_tokens, shape.rows_max, shape.head_rows_max),
      slots_(shape.slots),
      drawers_(static_cast<size_t>(compute.pool->size())) {
  info_.device = DeviceKind::cpu;
  info_.kind = isa_name(compute.isa);
  info_.dtype = dtype;
  info_.numerics = kNumericsVersion;
  info_.weight_bytes = model_.weight_bytes();
  info_.kv_cache_bytes = model_.kv_cache_bytes();
  tokens_.reserve(shape.rows_max);
}

void CpuBackend::open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t) {
  SlotDraws& draws = slots_[slot];
  draws.sampling = sampling;
  draws.drawn = kDrawn;
  if (!draws.history) draws.history = std::make_unique<TokenHistory>(vocab_);
  draws.history->clear();
  if (!sampling.has_penalties()) return;
  for (const uint32_t id : prompt) draws.history->add_prompt(static_cast<int32_t>(id));
}

void CpuBackend::forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  tokens_.assign(tokens.begin(), tokens.end());
  size_t row = 0;
  for (const PassSpan& span : spans) {
    for (const size_t end = row + span.rows; row < end; ++row) {
      if (tokens_[row] == kDrawn) tokens_[row] = slots_[span.slot].drawn;
    }
  }
  model_.forward(tokens_, spans);
}

void CpuBackend::put_residual(std::span<const float> rows) { std::copy(rows.begin(), rows.end(), model_.residual(rows.size()).begin()); }

void CpuBackend::get_residual(std::span<float> rows) {
  const std::span<float> residual = model_.residual(rows.size());
  std::copy(residual.begin(), residual.end(), rows.begin());
}

void CpuBackend::draw(std::span<const HeadRow> rows) {
  results_.assign(rows.size(), {});
  best_.resize(rows.size());
  const int64_t grain = std::max<int64_t>(1, kLogitsPerPiece / int64_t{vocab_});
  for (size_t begin = 0; begin < rows.size();) {
    // Logits of head_rows_max neighbours at a time, those between listed rows among them.
    const uint32_t first = rows[begin].index;
    size_t end = begin;
    while (end < rows.size() && rows[end].index - first < head_rows_max_) ++end;
    const std::span<float> logits = model_.logits(first, rows[end - 1].index - first + 1);
    compute_.pool->parallel_for(static_cast<int64_t>(end - begin), grain, [&](int64_t from, int64_t to, int thread) {
      for (size_t i = begin + static_cast<size_t>(from); i < begin + static_cast<size_t>(to); ++i) {
        const std::span<float> row = logits.subspan(size_t{rows[i].index - first} * vocab_, vocab_);
        draw_row(rows[i], row, thread, i);
      }
    });
    begin = end;
  }
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

/// Runs on a thread of the pool, which takes no exceptions.
void CpuBackend::draw_row(const HeadRow& row, std::span<float> logits, int thread, size_t place) {
  try {
    results_[place] = drawers_[static_cast<size_t>(thread)].draw(compute_, row, logits, slots_[row.slot], best_[place]);
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    failure_ = std::current_exception();
  }
}

}  // namespace eyrie
