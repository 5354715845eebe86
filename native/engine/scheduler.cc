#include "engine/scheduler.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "error.h"

namespace eyrie {

uint32_t PassPlan::token_rows() const {
  uint32_t rows = static_cast<uint32_t>(decode_slots.size());
  for (const PrefillChunk& chunk : prefill) rows += chunk.last ? 1 : 0;
  return rows;
}

uint32_t decode_rung(uint32_t rows, uint32_t slots) {
  constexpr uint32_t kStep = 32;
  uint32_t rung = 1;
  while (rung < rows) rung = rung < kStep ? rung * 2 : rung + kStep;
  return std::min(rung, slots);
}

Scheduler::Scheduler(uint32_t slots, uint32_t prefill_tokens, KvBudget budget)
    : prefill_tokens_(std::max(prefill_tokens, kChunkTokens)), pages_(budget, slots), slots_(slots), prefixes_(slots, kChunkTokens) {
  for (uint32_t slot = 0; slot < slots; ++slot) free_slots_.push_back(slot);
  prefilling_.reserve(slots);
}

void Scheduler::add(const WaitingRequest& request) {
  const uint64_t tokens = request.prompt_ids.size() + request.max_tokens;
  if (pages_.budget().pages_for(tokens) > pages_.budget().pages) {
    throw Error(ErrorCode::internal_error, "a request of " + std::to_string(tokens) + " tokens was let in although there are only " +
                                               std::to_string(pages_.budget().pages) + " pages of " +
                                               std::to_string(pages_.budget().page_tokens));
  }
  waiting_.add(request);
}

void Scheduler::next_pass(PassPlan& plan) {
  ++pass_;
  plan.released.clear();
  plan.admissions.clear();
  plan.copies.clear();
  plan.decode_slots.clear();
  plan.prefill.clear();
  plan.prefill_rows = 0;
  admit(plan);
  for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot].phase == Phase::decoding) plan.decode_slots.push_back(slot);
  }
  fill(plan);
  assume_computed(plan);
  plan.decode_shape_rows = decode_rung(static_cast<uint32_t>(slots_.size() - free_slots_.size()), static_cast<uint32_t>(slots_.size()));
}

void Scheduler::admit(PassPlan& plan) {
  while (!free_slots_.empty()) {
    const WaitingRequest* next = waiting_.next(estimate_);
    if (!next) return;
    const WaitingRequest request = *next;
    const Twin twin = request.may_copy_prefix ? best_twin(request.prompt_ids, kNoSlot) : Twin{};
    const uint32_t index = choose_slot(twin);
    if (!make_room(index, request.prompt_ids.size() + request.max_tokens, plan)) return;
    waiting_.take();
    std::erase(free_slots_, index);
    enter(index, request, twin);
    plan.admissions.push_back({request.id, index});
  }
}

/// A free slot that already holds the prefix, which then needs no copy at all; else the one that has been free longest. One whose
/// prefix is about to be copied is left alone if there is another.
uint32_t Scheduler::choose_slot(const Twin& twin) const {
  const bool twin_is_free = twin.slot != kNoSlot && slots_[twin.slot].phase == Phase::free;
  if (twin_is_free && slots_[twin.slot].wanted_by == 0) return twin.slot;
  const auto is_unwanted = [&](uint32_t slot) { return slots_[slot].wanted_by == 0; };
  const auto unwanted = std::find_if(free_slots_.begin(), free_slots_.end(), is_unwanted);
  if (unwanted != free_slots_.end()) return *unwanted;
  return twin_is_free ? twin.slot : free_slots_.front();
}

/// Reserves what the slot needs, at the cost of slots that have been free longest. false: there is not enough, and nothing changed.
bool Scheduler::make_room(uint32_t index, uint64_t tokens, PassPlan& plan) {
  const uint32_t needed = pages_.budget().pages_for(tokens);
  uint32_t available = pages_.of_slot(index) + pages_.free();
  const size_t released_before = plan.released.size();
  for (const uint32_t other : free_slots_) {
    if (available >= needed) break;
    if (other == index || slots_[other].wanted_by > 0 || pages_.of_slot(other) == 0) continue;
    available += pages_.of_slot(other);
    plan.released.push_back(other);
  }
  if (available < needed) {
    plan.released.resize(released_before);
    return false;
  }
  for (const uint32_t slot : std::span(plan.released).subspan(released_before)) {
    pages_.release_pages(slot);
    forget(slot, 0);
  }
  pages_.open_slot(index, tokens);
  return true;
}

void Scheduler::enter(uint32_t index, const WaitingRequest& request, const Twin& twin) {
  const bool in_place = twin.slot == index;
  prefixes_.hold(index, request.prompt_ids);
  Slot& slot = slots_[index];
  ++slot.version;
  slot.phase = Phase::prefilling;
  slot.urgent = request.urgent;
  slot.prefilled = in_place ? twin.tokens : 0;
  slot.max_tokens = request.max_tokens;
  slot.planned_tokens = 0;
  set_twin(index, in_place ? Twin{} : twin);
  begin_prefill(index);
}

void Scheduler::begin_prefill(uint32_t index) {
  const auto is_patient = [this](uint32_t other) { return !slots_[other].urgent; };
  const auto first_patient = std::find_if(prefilling_.begin(), prefilling_.end(), is_patient);
  prefilling_.insert(slots_[index].urgent ? first_patient : prefilling_.end(), index);
}

/// The slot that shares most with the prompt, its last token left out: that row must be computed for the first logits. One that has
/// it all already before one that is still computing it, then one that can be used in place.
Scheduler::Twin Scheduler::best_twin(std::span<const uint32_t> prompt_ids, uint32_t except) const {
  const SlotPrefixes::Shared shared = prefixes_.longest(prompt_ids, prompt_ids.size() - 1, except);
  Twin best{kNoSlot, shared.tokens};
  std::pair<bool, bool> best_rank;
  for (const uint32_t index : shared.slots) {
    if (index == except) continue;
    const Slot& slot = slots_[index];
    const std::pair rank{slot.prefilled >= shared.tokens, slot.phase == Phase::free && slot.wanted_by == 0};
    if (best.slot != kNoSlot && rank <= best_rank) continue;
    best.slot = index;
    best_rank = rank;
  }
  return best;
}

void Scheduler::set_twin(uint32_t index, const Twin& twin) {
  Slot& slot = slots_[index];
  if (slot.twin != kNoSlot) --slots_[slot.twin].wanted_by;
  slot.twin = twin.slot;
  slot.shared_tokens = twin.tokens;
  if (twin.slot == kNoSlot) return;
  ++slots_[twin.slot].wanted_by;
  slot.twin_version = slots_[twin.slot].version;
}

/// Copies the shared prefix once the twin has it. false: the twin is still at it, leave the slot out of this pass.
bool Scheduler::resolve_twin(uint32_t index, PassPlan& plan) {
  Slot& slot = slots_[index];
  if (slot.twin == kNoSlot) return true;
  // The twin's slot may hold another prompt by now.
  if (slots_[slot.twin].version != slot.twin_version) set_twin(index, best_twin(prefixes_.prompt(index), index));
  if (slot.twin == kNoSlot) return true;
  const Slot& twin = slots_[slot.twin];
  if (twin.prefilled >= slot.shared_tokens) {
    plan.copies.push_back({slot.twin, index, slot.shared_tokens});
    slot.prefilled = slot.shared_tokens;
  } else if (twin.turn == pass_) {
    return false;
  }
  // Else two twins would wait for each other: the one whose turn comes first computes.
  set_twin(index, {});
  return true;
}

void Scheduler::fill(PassPlan& plan) {
  for (const uint32_t index : prefilling_) {
    const uint32_t room = prefill_tokens_ - plan.prefill_rows;
    if (room == 0) break;
    Slot& slot = slots_[index];
    slot.turn = pass_;
    if (!resolve_twin(index, plan)) continue;
    const uint32_t remaining = static_cast<uint32_t>(prefixes_.prompt(index).size()) - slot.prefilled;
    const bool last = remaining <= room;
    const uint32_t rows = last ? remaining : room / kChunkTokens * kChunkTokens;
    if (rows == 0) continue;
    plan.prefill.push_back({index, slot.prefilled, rows, last});
    plan.prefill_rows += rows;
  }
}

/// After fill(), so that no copy of this pass reads what this very pass computes.
void Scheduler::assume_computed(const PassPlan& plan) {
  for (const uint32_t slot : plan.decode_slots) plan_token(slots_[slot]);
  for (const PrefillChunk& chunk : plan.prefill) {
    Slot& slot = slots_[chunk.slot];
    slot.prefilled += chunk.rows;
    if (!chunk.last) continue;
    std::erase(prefilling_, chunk.slot);
    plan_token(slot);
  }
}

void Scheduler::plan_token(Slot& slot) {
  ++slot.planned_tokens;
  slot.phase = slot.planned_tokens < slot.max_tokens ? Phase::decoding : Phase::ending;
}

void Scheduler::stop_sequence(uint32_t index) {
  Slot& slot = slots_[index];
  if (slot.phase == Phase::prefilling) {
    std::erase(prefilling_, index);
    set_twin(index, {});
    forget(index, slot.prefilled);
  }
  slot.phase = Phase::ending;
}

void Scheduler::end_sequence(uint32_t index, uint32_t generated_tokens) {
  stop_sequence(index);
  estimate_.record(generated_tokens);
  slots_[index].phase = Phase::free;
  free_slots_.push_back(index);
}

/// The slot holds only the first `kept_tokens` of its prompt from now on.
void Scheduler::forget(uint32_t index, uint32_t kept_tokens) {
  prefixes_.cut(index, kept_tokens);
  slots_[index].prefilled = kept_tokens;
  ++slots_[index].version;
}

}  // namespace eyrie
