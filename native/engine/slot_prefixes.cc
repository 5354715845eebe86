#include "engine/slot_prefixes.h"

#include <algorithm>

namespace eyrie {

namespace {

constexpr uint64_t kEmptyHash = 0xcbf29ce484222325;

}  // namespace

/// FNV-1a, with the upper bits brought down so that the lower ones of the multiplication do not decide alone.
uint64_t SlotPrefixes::extend(uint64_t hash, std::span<const uint32_t> prompt_ids, size_t chunk) const {
  for (const uint32_t id : prompt_ids.subspan(chunk * chunk_tokens_, chunk_tokens_)) hash = (hash ^ id) * 0x100000001b3;
  return hash ^ (hash >> 32);
}

/// Whether a slot that is listed for this chunk holds it as the prompt does. The chunks before are known to be equal for slots that
/// are listed under `hash_before`.
bool SlotPrefixes::agrees(const Held& held, std::span<const uint32_t> prompt_ids, size_t chunk, uint64_t hash_before) const {
  if (chunk > 0 && held.hashes[chunk - 1] != hash_before) return false;
  const auto first = static_cast<std::ptrdiff_t>(chunk * chunk_tokens_);
  return std::equal(held.prompt_ids.begin() + first, held.prompt_ids.begin() + first + chunk_tokens_, prompt_ids.begin() + first);
}

void SlotPrefixes::hold(uint32_t slot, std::span<const uint32_t> prompt_ids) {
  unlist(slot, 0);
  Held& held = held_[slot];
  held.prompt_ids.assign(prompt_ids.begin(), prompt_ids.end());
  uint64_t hash = kEmptyHash;
  for (size_t chunk = 0; (chunk + 1) * chunk_tokens_ <= prompt_ids.size(); ++chunk) {
    const uint64_t before = hash;
    hash = extend(hash, prompt_ids, chunk);
    std::vector<uint32_t>& slots = slots_of_[hash];
    // A list of another length of prefix cannot be told by its hash: its slots have another number of chunks up to there.
    if (!slots.empty()) {
      const Held& other = held_[slots.front()];
      if (chunk >= other.hashes.size() || other.hashes[chunk] != hash || !agrees(other, prompt_ids, chunk, before)) return;
    }
    slots.push_back(slot);
    held.hashes.push_back(hash);
  }
}

void SlotPrefixes::cut(uint32_t slot, uint32_t tokens) {
  unlist(slot, std::min<size_t>(tokens / chunk_tokens_, held_[slot].hashes.size()));
}

void SlotPrefixes::unlist(uint32_t slot, size_t first_chunk) {
  std::vector<uint64_t>& hashes = held_[slot].hashes;
  for (size_t chunk = first_chunk; chunk < hashes.size(); ++chunk) {
    const auto list = slots_of_.find(hashes[chunk]);
    std::erase(list->second, slot);
    if (list->second.empty()) slots_of_.erase(list);
  }
  hashes.resize(first_chunk);
}

SlotPrefixes::Shared SlotPrefixes::longest(std::span<const uint32_t> prompt_ids, size_t limit, uint32_t except) const {
  Shared shared;
  uint64_t hash = kEmptyHash;
  for (size_t chunk = 0; (chunk + 1) * chunk_tokens_ <= std::min(limit, prompt_ids.size()); ++chunk) {
    const uint64_t before = hash;
    hash = extend(hash, prompt_ids, chunk);
    const auto list = slots_of_.find(hash);
    if (list == slots_of_.end()) break;
    const std::vector<uint32_t>& slots = list->second;
    const Held& first = held_[slots.front()];
    if (chunk >= first.hashes.size() || first.hashes[chunk] != hash || !agrees(first, prompt_ids, chunk, before)) break;
    if (slots.size() == 1 && slots.front() == except) break;
    shared = {static_cast<uint32_t>((chunk + 1) * chunk_tokens_), slots};
  }
  return shared;
}

}  // namespace eyrie
