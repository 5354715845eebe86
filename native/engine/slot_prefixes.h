#pragma once
// Which slots hold the beginning of a prompt, found without a look at every slot.
//
// A slot holds (or is about to hold) a prompt; what counts are its whole chunks of kChunkTokens. Slots with the same first d chunks
// are listed together, under a hash of those chunks, for each d. A hash alone decides nothing: the tokens are compared when a slot
// joins a list and when a list is looked up. A slot whose chunks meet a foreign list under their hash is not listed from there on,
// which costs a copy, never a wrong one.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace eyrie {

class SlotPrefixes {
 public:
  struct Shared {
    uint32_t tokens = 0;
    /// Hold those tokens, all of them; valid until the next change.
    std::span<const uint32_t> slots;
  };

  SlotPrefixes(uint32_t slots, uint32_t chunk_tokens) : chunk_tokens_(chunk_tokens), held_(slots) {}

  /// From now on the slot holds this prompt and nothing of another.
  void hold(uint32_t slot, std::span<const uint32_t> prompt_ids);
  /// Of what the slot holds, only the first `tokens` count from now on.
  void cut(uint32_t slot, uint32_t tokens);
  std::span<const uint32_t> prompt(uint32_t slot) const { return held_[slot].prompt_ids; }
  /// The most leading tokens of `prompt_ids`, in whole chunks and at most `limit`, that any slot but `except` holds, and the slots that
  /// do; `except` may be listed among them.
  Shared longest(std::span<const uint32_t> prompt_ids, size_t limit, uint32_t except = UINT32_MAX) const;

 private:
  struct Held {
    std::vector<uint32_t> prompt_ids;
    /// One for each chunk that is listed: of the tokens up to its end.
    std::vector<uint64_t> hashes;
  };

  uint64_t extend(uint64_t hash, std::span<const uint32_t> prompt_ids, size_t chunk) const;
  bool agrees(const Held& held, std::span<const uint32_t> prompt_ids, size_t chunk, uint64_t hash_before) const;
  void unlist(uint32_t slot, size_t first_chunk);

  uint32_t chunk_tokens_;
  std::vector<Held> held_;                                        // [slots]
  std::unordered_map<uint64_t, std::vector<uint32_t>> slots_of_;  // hash -> slots, none empty
};

}  // namespace eyrie
