#include "engine/scheduler.h"

#include <algorithm>
#include <optional>
#include <utility>

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

Scheduler::Scheduler(uint32_t slots, uint32_t prefill_tokens) : prefill_tokens_(std::max(prefill_tokens, kChunkTokens)), slots_(slots) {
  for (uint32_t slot = 0; slot < slots; ++slot) free_slots_.push_back(slot);
  prefilling_.reserve(slots);
}

void Scheduler::next_pass(PassPlan& plan) {
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
    const std::optional<WaitingRequest> request = waiting_.take_next(estimate_);
    if (!request) return;
    uint32_t shared = 0;
    const uint32_t twin = request->may_copy_prefix ? best_twin(request->prompt_ids, kNoSlot, shared) : kNoSlot;
    // A free slot that already holds the prefix needs no copy at all.
    const bool in_place = twin != kNoSlot && slots_[twin].phase == Phase::free;
    const auto chosen = in_place ? std::find(free_slots_.begin(), free_slots_.end(), twin) : free_slots_.begin();
    const uint32_t index = *chosen;
    free_slots_.erase(chosen);
    Slot& slot = slots_[index];
    slot.phase = Phase::prefilling;
    slot.urgent = request->urgent;
    slot.prompt_ids.assign(request->prompt_ids.begin(), request->prompt_ids.end());
    slot.prefilled = in_place ? shared : 0;
    slot.twin = in_place ? kNoSlot : twin;
    slot.shared_tokens = shared;
    begin_prefill(index);
    plan.admissions.push_back({request->id, index});
  }
}

void Scheduler::begin_prefill(uint32_t index) {
  const auto is_patient = [this](uint32_t other) { return !slots_[other].urgent; };
  const auto first_patient = std::find_if(prefilling_.begin(), prefilling_.end(), is_patient);
  prefilling_.insert(slots_[index].urgent ? first_patient : prefilling_.end(), index);
}

/// How many leading tokens of `prompt_ids` the slot holds or is about to hold, in whole chunks, the last prompt token left out:
/// its row must be computed for the first logits.
uint32_t Scheduler::shared_tokens(const Slot& slot, std::span<const uint32_t> prompt_ids) const {
  const size_t usable = slot.phase == Phase::prefilling ? slot.prompt_ids.size() : slot.prefilled;
  const size_t limit = std::min(usable, prompt_ids.size() - 1);
  size_t equal = 0;
  while (equal < limit && slot.prompt_ids[equal] == prompt_ids[equal]) ++equal;
  return static_cast<uint32_t>(equal / kChunkTokens * kChunkTokens);
}

/// The slot that shares most, one that has it all already before one that is still computing it.
uint32_t Scheduler::best_twin(std::span<const uint32_t> prompt_ids, uint32_t except, uint32_t& shared) const {
  uint32_t best = kNoSlot;
  std::pair<uint32_t, bool> best_rank{0, false};
  for (uint32_t index = 0; index < slots_.size(); ++index) {
    if (index == except) continue;
    const uint32_t tokens = shared_tokens(slots_[index], prompt_ids);
    const std::pair rank{tokens, slots_[index].prefilled >= tokens};
    if (tokens == 0 || rank <= best_rank) continue;
    best = index;
    best_rank = rank;
  }
  shared = best_rank.first;
  return best;
}

/// Copies the shared prefix once the twin has it. false: the twin is still at it, leave the slot out of this pass.
bool Scheduler::resolve_twin(uint32_t index, PassPlan& plan) {
  Slot& slot = slots_[index];
  if (slot.twin == kNoSlot) return true;
  // The twin may have ended and its slot may hold another prompt by now: compare again instead of trusting the note.
  slot.twin = best_twin(slot.prompt_ids, index, slot.shared_tokens);
  if (slot.twin == kNoSlot) return true;
  const Slot& twin = slots_[slot.twin];
  if (twin.prefilled < slot.shared_tokens) {
    // Two twins must not wait for each other: the one whose turn comes first computes.
    const auto turn = [&](uint32_t i) { return std::find(prefilling_.begin(), prefilling_.end(), i); };
    if (turn(slot.twin) < turn(index)) return false;
    slot.twin = kNoSlot;
    return true;
  }
  plan.copies.push_back({slot.twin, index, slot.shared_tokens});
  slot.prefilled = slot.shared_tokens;
  slot.twin = kNoSlot;
  return true;
}

void Scheduler::fill(PassPlan& plan) {
  for (const uint32_t index : prefilling_) {
    const uint32_t room = prefill_tokens_ - plan.prefill_rows;
    if (room == 0) break;
    if (!resolve_twin(index, plan)) continue;
    const Slot& slot = slots_[index];
    const uint32_t remaining = static_cast<uint32_t>(slot.prompt_ids.size()) - slot.prefilled;
    const bool last = remaining <= room;
    const uint32_t rows = last ? remaining : room / kChunkTokens * kChunkTokens;
    if (rows == 0) continue;
    plan.prefill.push_back({index, slot.prefilled, rows, last});
    plan.prefill_rows += rows;
  }
}

/// After fill(), so that no copy of this pass reads what this very pass computes.
void Scheduler::assume_computed(const PassPlan& plan) {
  for (const PrefillChunk& chunk : plan.prefill) {
    Slot& slot = slots_[chunk.slot];
    slot.prefilled += chunk.rows;
    if (!chunk.last) continue;
    slot.phase = Phase::decoding;
    std::erase(prefilling_, chunk.slot);
  }
}

void Scheduler::end_sequence(uint32_t index, uint32_t generated_tokens) {
  estimate_.record(generated_tokens);
  slots_[index].phase = Phase::free;
  std::erase(prefilling_, index);
  free_slots_.push_back(index);
}

}  // namespace eyrie
