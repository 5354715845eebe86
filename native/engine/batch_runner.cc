#include "engine/batch_runner.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace eyrie {

namespace {

// Rows that get logits at once: all slots of a step where memory allows, whole blocks of a prompt that is scored.
// 256 rows of 65,024 float32 logits are 67 MB.
constexpr uint32_t kHeadRowsMin = 64;
constexpr uint32_t kHeadRowsMax = 256;

// Logits a thread handles at a time: below that, waking another thread takes longer than the rows.
constexpr int64_t kLogitsPerPiece = 16'384;

}  // namespace

uint32_t pass_rows_max(const EngineOptions& options) { return options.slots + std::max(options.prefill_tokens, kChunkTokens); }

uint32_t head_rows_max(const EngineOptions& options) { return std::clamp(options.slots, kHeadRowsMin, kHeadRowsMax); }

BatchRunner::BatchRunner(const EngineOptions& options, std::unique_ptr<FalconWeights> weights, DType dtype, const Compute& compute)
    : options_(options),
      compute_(compute),
      head_rows_max_(head_rows_max(options)),
      scheduler_(options.slots, options.prefill_tokens),
      model_(options.config, dtype, std::move(weights), compute, options.slots, options.slot_tokens, pass_rows_max(options),
             head_rows_max_),
      in_slot_(options.slots, nullptr),
      histories_(options.slots),
      scratch_(static_cast<size_t>(compute.pool->size())) {
  tokens_.reserve(pass_rows_max(options));
  spans_.reserve(options.slots);
  head_rows_.reserve(pass_rows_max(options));
}

void BatchRunner::add(std::unique_ptr<Sequence> sequence) {
  const Request& request = sequence->request;
  scheduler_.add({sequence->id, request.prompt_ids, request.max_tokens, !request.prompt_logprobs, request.urgent, request.group});
  sequences_.emplace(sequence->id, std::move(sequence));
}

void BatchRunner::cancel(uint64_t id) { cancelled_.push_back(id); }

void BatchRunner::end_cancelled(std::vector<Outcome>& outcomes) {
  for (const uint64_t id : cancelled_) {
    const auto found = sequences_.find(id);
    if (found == sequences_.end()) continue;
    Sequence& sequence = *found->second;
    sequence.ended = true;
    sequence.result.finish_reason = FinishReason::cancelled;
    const auto slot = std::find(in_slot_.begin(), in_slot_.end(), &sequence);
    if (slot != in_slot_.end()) {
      release(static_cast<uint32_t>(slot - in_slot_.begin()), outcomes);
    } else {
      scheduler_.remove_waiting(id);
      outcomes.push_back({id, std::move(sequence.result), std::nullopt});
      sequences_.erase(found);
    }
  }
  cancelled_.clear();
}

void BatchRunner::step(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news) {
  end_cancelled(outcomes);
  const auto begin = std::chrono::steady_clock::now();
  const uint64_t multiplied = model_.multiply_adds();
  scheduler_.next_pass(plan_);
  if (plan_.empty()) {
    if (has_work()) throw Error(ErrorCode::internal_error, "the scheduler found nothing to do although sequences wait");
    return;
  }
  for (const Admission& admission : plan_.admissions) {
    Sequence& sequence = *sequences_.at(admission.id);
    in_slot_[admission.slot] = &sequence;
    std::unique_ptr<TokenHistory>& history = histories_[admission.slot];
    if (!history) history = std::make_unique<TokenHistory>(options_.config.vocab_size);
    history->clear();
    if (!sequence.has_penalties()) continue;
    for (const uint32_t id : sequence.request.prompt_ids) history->add_prompt(static_cast<int32_t>(id));
  }
  for (const PrefixCopy& copy : plan_.copies) model_.copy_prefix(copy.from_slot, copy.to_slot, copy.tokens);
  compose();
  model_.forward(tokens_, spans_);
  finish_rows();
  const auto elapsed = std::chrono::steady_clock::now() - begin;
  count(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count()), model_.multiply_adds() - multiplied);
  for (const uint32_t slot : plan_.decode_slots) conclude(slot, outcomes, news);
  for (const PrefillChunk& chunk : plan_.prefill) conclude(chunk.slot, outcomes, news);
}

void BatchRunner::compose() {
  tokens_.clear();
  spans_.clear();
  head_rows_.clear();
  for (const uint32_t slot : plan_.decode_slots) {
    const Sequence& sequence = *in_slot_[slot];
    // The newest token is not in the cache yet: it is the row's input.
    tokens_.push_back(static_cast<int32_t>(sequence.result.token_ids.back()));
    add_span(slot, sequence.prompt_tokens() + sequence.generated() - 1, 1, 1, true);
  }
  for (const PrefillChunk& chunk : plan_.prefill) {
    const Request& request = in_slot_[chunk.slot]->request;
    const auto first = request.prompt_ids.begin() + chunk.first_position;
    tokens_.insert(tokens_.end(), first, first + chunk.rows);
    const bool generates = chunk.last && request.max_tokens > 0;
    const uint32_t head_rows = request.prompt_logprobs ? chunk.rows : (generates ? 1 : 0);
    add_span(chunk.slot, chunk.first_position, chunk.rows, head_rows, generates);
  }
}

void BatchRunner::add_span(uint32_t slot, uint32_t first_position, uint32_t rows, uint32_t head_rows, bool generates) {
  spans_.push_back({slot, first_position, rows, head_rows});
  for (uint32_t row = rows - head_rows; row < rows; ++row) {
    head_rows_.push_back({slot, first_position + row, generates && row + 1 == rows});
  }
}

void BatchRunner::finish_rows() {
  const size_t vocab = options_.config.vocab_size;
  for (uint32_t first = 0; first < head_rows_.size(); first += head_rows_max_) {
    const uint32_t rows = std::min(head_rows_max_, static_cast<uint32_t>(head_rows_.size()) - first);
    const std::span<float> logits = model_.logits(first, rows);
    const int64_t grain = std::max<int64_t>(1, kLogitsPerPiece / static_cast<int64_t>(vocab));
    compute_.pool->parallel_for(rows, grain, [&](int64_t begin, int64_t end, int thread) {
      for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
        finish_row(head_rows_[first + row], logits.subspan(row * vocab, vocab), thread);
      }
    });
  }
  for (const PrefillChunk& chunk : plan_.prefill) {
    Sequence& sequence = *in_slot_[chunk.slot];
    if (chunk.last && sequence.request.max_tokens == 0) sequence.ended = true;
  }
}

/// Runs on a thread of the pool, which takes no exceptions: a failure stays with its sequence.
void BatchRunner::finish_row(const HeadRow& row, std::span<float> logits, int thread) {
  Sequence& sequence = *in_slot_[row.slot];
  try {
    if (sequence.request.prompt_logprobs) score_prompt_token(sequence, row.position, logits, compute_);
    if (row.generates) {
      generate_token(sequence, logits, *histories_[row.slot], options_, compute_, scratch_[static_cast<size_t>(thread)]);
    }
  } catch (...) {
    const std::lock_guard lock(failure_mutex_);
    sequence.failure = current_failure();
  }
}

void BatchRunner::conclude(uint32_t slot, std::vector<Outcome>& outcomes, std::vector<TokenNews>& news) {
  Sequence& sequence = *in_slot_[slot];
  if (sequence.ended || sequence.failure) return release(slot, outcomes);
  if (sequence.watched && sequence.generated() > 0) news.push_back(sequence.take_news());
}

void BatchRunner::release(uint32_t slot, std::vector<Outcome>& outcomes) {
  Sequence& sequence = *in_slot_[slot];
  scheduler_.end_sequence(slot, sequence.generated());
  in_slot_[slot] = nullptr;
  outcomes.push_back({sequence.id, std::move(sequence.result), std::move(sequence.failure)});
  sequences_.erase(sequence.id);
}

void BatchRunner::fail_all(const Failure& failure, std::vector<Outcome>& outcomes) {
  for (auto& [id, sequence] : sequences_) outcomes.push_back({id, {}, failure});
  sequences_.clear();
}

void BatchRunner::count(uint64_t nanoseconds, uint64_t multiply_adds) {
  const auto decode_rows = static_cast<uint32_t>(plan_.decode_slots.size());
  if (plan_.prefill.empty()) {
    report_.decode_nanoseconds += nanoseconds;
    report_.decode_multiply_adds += multiply_adds;
    ++report_.decode_only_steps;
  } else {
    report_.prefill_nanoseconds += nanoseconds;
    report_.prefill_multiply_adds += multiply_adds;
    ++report_.prefill_packs;
  }
  report_.generated_tokens += decode_rows;
  if (decode_rows > 0) {
    ++report_.decode_steps;
    report_.idle_slot_steps += plan_.decode_shape_rows - plan_.token_rows();
  }
  for (const PrefillChunk& chunk : plan_.prefill) {
    if (!chunk.last) continue;
    const Request& request = in_slot_[chunk.slot]->request;
    report_.prompt_tokens += request.prompt_ids.size();
    report_.generated_tokens += request.max_tokens > 0 ? 1 : 0;
  }
}

}  // namespace eyrie
