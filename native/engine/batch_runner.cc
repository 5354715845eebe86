#include "engine/batch_runner.h"

#include <algorithm>
#include <utility>

#include "engine/grammar_step.h"
#include "engine/token_step.h"

namespace eyrie {

namespace {

// Rows that get logits at once: all slots of a step where memory allows, whole blocks of a prompt that is scored.
// 256 rows of 65,024 float32 logits are 67 MB.
constexpr uint32_t kHeadRowsMin = 64;
constexpr uint32_t kHeadRowsMax = 256;

// Tokens a thread handles at a time: text and stop strings take less than waking another thread, grammars do not.
constexpr int64_t kTokensPerPiece = 256;

bool has_grammar(const Sequence& sequence) { return sequence.request.grammar != nullptr; }

}  // namespace

uint32_t pass_rows_max(uint32_t slots, uint32_t prefill_tokens) { return slots + std::max(prefill_tokens, kChunkTokens); }

uint32_t head_rows_max(uint32_t slots) { return std::clamp(slots, kHeadRowsMin, kHeadRowsMax); }

BatchRunner::BatchRunner(const EngineOptions& options, std::unique_ptr<Backend> backend, ThreadPool& pool)
    : options_(options),
      pool_(pool),
      backend_(std::move(backend)),
      scheduler_(options.slots, options.prefill_tokens, kv_budget(backend_->info())),
      slots_(options.slots),
      masks_(options.slots) {
  tokens_.reserve(pass_rows_max(options.slots, options.prefill_tokens));
  spans_.reserve(options.slots);
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
    const auto slot = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& other) { return other.sequence == &sequence; });
    if (slot != slots_.end()) {
      end(static_cast<uint32_t>(slot - slots_.begin()), outcomes);
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
  const bool launched = launch();
  if (passes_.empty()) {
    if (has_work()) throw Error(ErrorCode::internal_error, "the scheduler found nothing to do although sequences wait");
    return;
  }
  // Its tokens are the input of the pass just launched, which the device reads by itself; the masks of that pass follow from them.
  if (passes_.size() > (launched ? 1u : 0u)) finish_oldest(outcomes, news);
  if (launched) draw(passes_.back(), outcomes);
  while (passes_.size() > backend_->info().lookahead) finish_oldest(outcomes, news);
}

/// Plans a pass and starts it. false: there is nothing to compute.
bool BatchRunner::launch() {
  Pass pass = std::exchange(spare_, {});
  pass.begun = std::chrono::steady_clock::now();
  pass.multiply_adds = backend_->multiply_adds();
  scheduler_.next_pass(pass.plan);
  admit(pass.plan);
  if (pass.plan.empty()) {
    spare_ = std::move(pass);
    return false;
  }
  compose(pass);
  passes_.push_back(std::move(pass));
  backend_->forward(tokens_, spans_);
  return true;
}

void BatchRunner::admit(const PassPlan& plan) {
  for (const uint32_t slot : plan.released) backend_->release_pages(slot);
  for (const Admission& admission : plan.admissions) {
    Sequence& sequence = *sequences_.at(admission.id);
    sequence.begin(options_);
    slots_[admission.slot].sequence = &sequence;
    const Request& request = sequence.request;
    backend_->open_slot(admission.slot, sequence.sampling, request.prompt_ids, sequence.prompt_tokens() + request.max_tokens);
  }
  for (const PrefixCopy& copy : plan.copies) backend_->copy_prefix(copy.from_slot, copy.to_slot, copy.tokens);
}

void BatchRunner::compose(Pass& pass) {
  tokens_.clear();
  spans_.clear();
  pass.wanted.clear();
  pass.prompt_tokens = 0;
  pass.generated_tokens = 0;
  head_rows_ = 0;
  for (const uint32_t slot : pass.plan.decode_slots) {
    // The newest token is not in the cache yet: it is the row's input.
    tokens_.push_back(kDrawn);
    add_span(pass, slot, slots_[slot].next_position++, 1, 1, true);
  }
  for (const PrefillChunk& chunk : pass.plan.prefill) {
    const Request& request = slots_[chunk.slot].sequence->request;
    const auto first = request.prompt_ids.begin() + chunk.first_position;
    tokens_.insert(tokens_.end(), first, first + chunk.rows);
    const bool generates = chunk.last && request.max_tokens > 0;
    const uint32_t head_rows = request.prompt_logprobs ? chunk.rows : (generates ? 1 : 0);
    add_span(pass, chunk.slot, chunk.first_position, chunk.rows, head_rows, generates);
    if (!chunk.last) continue;
    pass.prompt_tokens += request.prompt_ids.size();
    slots_[chunk.slot].next_position = static_cast<uint32_t>(request.prompt_ids.size());
  }
}

void BatchRunner::add_span(Pass& pass, uint32_t slot, uint32_t first_position, uint32_t rows, uint32_t head_rows, bool generates) {
  spans_.push_back({slot, first_position, rows, head_rows});
  ++slots_[slot].passes;
  const uint32_t prompt_tokens = slots_[slot].sequence->prompt_tokens();
  for (uint32_t row = rows - head_rows; row < rows; ++row, ++head_rows_) {
    const uint32_t position = first_position + row;
    const bool draws = generates && row + 1 == rows;
    // The last row of a prompt that only is scored has no token to score.
    if (draws || position + 1 < prompt_tokens) pass.wanted.push_back({head_rows_, slot, position, draws});
  }
}

void BatchRunner::draw(Pass& pass, std::vector<Outcome>& outcomes) {
  make_masks(pass);
  pass.drawn.clear();
  asked_.clear();
  for (const WantedRow& wanted : pass.wanted) {
    Sequence* const sequence = slots_[wanted.slot].sequence;
    if (sequence == nullptr && wanted.draws) meter_.count_overrun();
    if (sequence == nullptr || sequence->failure) continue;
    pass.drawn.push_back(wanted);
    asked_.push_back(head_row(wanted));
  }
  backend_->draw(asked_);
  pass.multiply_adds = backend_->multiply_adds() - pass.multiply_adds;
  for (const WantedRow& wanted : pass.wanted) {
    const Sequence* const sequence = slots_[wanted.slot].sequence;
    if (sequence != nullptr && sequence->failure) end(wanted.slot, outcomes);
  }
}

/// What the grammars allow next, in parallel. A grammar that fails ends its sequence alone.
void BatchRunner::make_masks(const Pass& pass) {
  std::vector<uint32_t> slots;
  for (const WantedRow& wanted : pass.wanted) {
    const Sequence* const sequence = slots_[wanted.slot].sequence;
    if (wanted.draws && sequence != nullptr && has_grammar(*sequence)) slots.push_back(wanted.slot);
  }
  pool_.parallel_for(static_cast<int64_t>(slots.size()), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const uint32_t slot = slots[static_cast<size_t>(i)];
      try {
        allowed_tokens(*slots_[slot].sequence, options_, masks_[slot]);
      } catch (...) {
        slots_[slot].sequence->failure = current_failure();
      }
    }
  });
}

HeadRow BatchRunner::head_row(const WantedRow& wanted) const {
  const Sequence& sequence = *slots_[wanted.slot].sequence;
  HeadRow row;
  row.index = wanted.index;
  row.slot = wanted.slot;
  row.draws = wanted.draws;
  if (wanted.draws) {
    row.top = sequence.request.logprobs;
    if (has_grammar(sequence)) row.allowed = masks_[wanted.slot].data();
  } else {
    row.scored = static_cast<int32_t>(sequence.request.prompt_ids[wanted.position + 1]);
    row.top = static_cast<int32_t>(sequence.top());
  }
  return row;
}

void BatchRunner::finish_oldest(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news) {
  Pass& pass = passes_.front();
  take_results(pass, backend_->collect());
  leave(pass);
  meter_.count(pass);
  for (const uint32_t slot : pass.plan.decode_slots) conclude(slot, outcomes, news);
  for (const PrefillChunk& chunk : pass.plan.prefill) {
    Sequence* const sequence = slots_[chunk.slot].sequence;
    if (sequence != nullptr && chunk.last && sequence->request.max_tokens == 0) sequence->ended = true;
    conclude(chunk.slot, outcomes, news);
  }
  spare_ = std::move(pass);
  passes_.pop_front();
}

void BatchRunner::take_results(Pass& pass, std::span<const HeadResult> results) {
  std::vector<size_t> tokens;
  bool grammars = false;
  for (size_t i = 0; i < pass.drawn.size(); ++i) {
    const WantedRow& row = pass.drawn[i];
    Sequence* const sequence = slots_[row.slot].sequence;
    if (sequence == nullptr) {
      if (row.draws) meter_.count_overrun();
    } else if (!row.draws) {
      take_score(*sequence, row.position, results[i]);
    } else {
      tokens.push_back(i);
      grammars = grammars || has_grammar(*sequence);
    }
  }
  pass.generated_tokens = static_cast<uint32_t>(tokens.size());
  pool_.parallel_for(static_cast<int64_t>(tokens.size()), grammars ? 1 : kTokensPerPiece, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const size_t row = tokens[static_cast<size_t>(i)];
      Sequence& sequence = *slots_[pass.drawn[row].slot].sequence;
      // The pool takes no exceptions: a failure stays with its sequence.
      try {
        take_token(sequence, results[row], options_);
      } catch (...) {
        sequence.failure = current_failure();
      }
    }
  });
}

/// The slots of sequences that have ended meanwhile are free when no other pass holds them.
void BatchRunner::leave(const Pass& pass) {
  const auto leave_slot = [this](uint32_t index) {
    Slot& slot = slots_[index];
    if (--slot.passes == 0 && slot.sequence == nullptr) scheduler_.end_sequence(index, slot.generated);
  };
  for (const uint32_t slot : pass.plan.decode_slots) leave_slot(slot);
  for (const PrefillChunk& chunk : pass.plan.prefill) leave_slot(chunk.slot);
}

void BatchRunner::conclude(uint32_t slot, std::vector<Outcome>& outcomes, std::vector<TokenNews>& news) {
  Sequence* const sequence = slots_[slot].sequence;
  if (sequence == nullptr) return;
  if (sequence->ended || sequence->failure) return end(slot, outcomes);
  if (sequence->watched && sequence->generated() > 0) news.push_back(sequence->take_news());
}

/// The sequence is over; its slot is free once no pass holds it.
void BatchRunner::end(uint32_t index, std::vector<Outcome>& outcomes) {
  Slot& slot = slots_[index];
  Sequence& sequence = *slot.sequence;
  slot.generated = sequence.generated();
  slot.sequence = nullptr;
  if (slot.passes == 0) {
    scheduler_.end_sequence(index, slot.generated);
  } else {
    scheduler_.stop_sequence(index);
  }
  outcomes.push_back({sequence.id, std::move(sequence.result), std::move(sequence.failure)});
  sequences_.erase(sequence.id);
}

void BatchRunner::fail_all(const Failure& failure, std::vector<Outcome>& outcomes) {
  for (auto& [id, sequence] : sequences_) outcomes.push_back({id, {}, failure});
  sequences_.clear();
  passes_.clear();
}

}  // namespace eyrie
