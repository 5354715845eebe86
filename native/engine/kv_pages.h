#pragma once
// How the memory for keys and values is shared among the slots: in pages, reserved for a whole sequence before it starts.
//
// The scheduler counts pages here, a device hands out real ones, and both follow the same rules, so that neither has to ask the
// other:
// - open_slot(slot, tokens): from then on the slot has ceil(tokens / page_tokens) pages, where tokens = prompt + max_tokens. The
//   pages it already has are kept, from the first on; those beyond are given back, missing ones are taken.
// - release_pages(slot): the slot has no page.
// - Nothing else changes the number: a slot whose sequence ended keeps its pages, and with them a prompt that others may copy.

#include <cstdint>
#include <vector>

#include "engine/backend.h"

namespace eyrie {

struct KvBudget {
  uint32_t page_tokens = 0;  ///< 0: each slot has its own room, nothing is counted
  uint32_t pages = 0;

  uint32_t pages_for(uint64_t tokens) const {
    return page_tokens == 0 ? 0 : static_cast<uint32_t>((tokens + page_tokens - 1) / page_tokens);
  }
};

inline KvBudget kv_budget(const BackendInfo& info) { return {info.kv_page_tokens, info.kv_pages}; }

class KvPages {
 public:
  KvPages(KvBudget budget, uint32_t slots) : budget_(budget), free_(budget.pages), of_slot_(slots, 0) {}

  const KvBudget& budget() const { return budget_; }
  uint32_t free() const { return free_; }
  uint32_t of_slot(uint32_t slot) const { return of_slot_[slot]; }
  /// The caller has seen to it that there are enough: pages_for(tokens) <= of_slot(slot) + free().
  void open_slot(uint32_t slot, uint64_t tokens) {
    free_ += of_slot_[slot];
    of_slot_[slot] = budget_.pages_for(tokens);
    free_ -= of_slot_[slot];
  }
  void release_pages(uint32_t slot) {
    free_ += of_slot_[slot];
    of_slot_[slot] = 0;
  }

 private:
  KvBudget budget_;
  uint32_t free_;
  std::vector<uint32_t> of_slot_;  // [slots]
};

}  // namespace eyrie
