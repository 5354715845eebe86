#pragma once
// Which slot holds which pages of the cache: the host's side of PagedCache. The arithmetic is the scheduler's (engine/scheduler.h), so
// that what it plans always fits: a slot opened for n tokens holds ceil(n / kPageTokens) pages from then on, also after its sequence
// ended, until it is opened anew or its pages are released.

#include <cstdint>
#include <span>
#include <vector>

#include "cuda/kernels/pass.h"

namespace eyrie::cuda {

class KvPages {
 public:
  KvPages(uint32_t slots, uint32_t slot_tokens, uint32_t pages);

  static uint32_t pages_for(uint32_t tokens) { return (tokens + kPageTokens - 1) / kPageTokens; }

  /// The slot holds exactly the pages for `tokens` positions: it keeps its first ones, and takes more or gives some back. Throws
  /// internal_error for more tokens than a slot may have or more pages than are free; the slot is unchanged then.
  void open(uint32_t slot, uint32_t tokens);
  void release(uint32_t slot);

  /// [slots][pages_per_slot] numbers of pages, -1: none.
  std::span<const int32_t> table() const { return table_; }
  uint32_t pages_per_slot() const { return pages_per_slot_; }
  uint32_t pages() const { return pages_; }
  uint32_t free_pages() const { return static_cast<uint32_t>(free_.size()); }
  uint32_t held(uint32_t slot) const { return held_[slot]; }

 private:
  int32_t& entry(uint32_t slot, uint32_t index) { return table_[size_t{slot} * pages_per_slot_ + index]; }

  uint32_t pages_;
  uint32_t pages_per_slot_;
  std::vector<int32_t> table_;
  std::vector<uint32_t> held_;  // [slots]
  std::vector<int32_t> free_;   // the next one to take at the end
};

}  // namespace eyrie::cuda
