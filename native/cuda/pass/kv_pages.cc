#include "cuda/pass/kv_pages.h"

#include <string>

#include "error.h"

namespace eyrie::cuda {

KvPages::KvPages(uint32_t slots, uint32_t slot_tokens, uint32_t pages)
    : pages_(pages), pages_per_slot_(pages_for(slot_tokens)), table_(size_t{slots} * pages_per_slot_, -1), held_(slots, 0) {
  free_.reserve(pages);
  for (uint32_t page = pages; page > 0; --page) free_.push_back(static_cast<int32_t>(page - 1));
}

void KvPages::open(uint32_t slot, uint32_t tokens) {
  const uint32_t wanted = pages_for(tokens);
  uint32_t& held = held_.at(slot);
  if (wanted > pages_per_slot_) {
    throw Error(ErrorCode::internal_error, "slot " + std::to_string(slot) + " is opened for " + std::to_string(tokens) +
                                               " tokens, a slot holds at most " + std::to_string(pages_per_slot_ * kPageTokens));
  }
  if (wanted > held && wanted - held > free_.size()) {
    throw Error(ErrorCode::internal_error, "slot " + std::to_string(slot) + " needs " + std::to_string(wanted - held) +
                                               " more pages for its keys and values, only " + std::to_string(free_.size()) + " of " +
                                               std::to_string(pages_) + " are free");
  }
  for (; held < wanted; ++held) {
    entry(slot, held) = free_.back();
    free_.pop_back();
  }
  while (held > wanted) {
    --held;
    free_.push_back(entry(slot, held));
    entry(slot, held) = -1;
  }
}

void KvPages::release(uint32_t slot) {
  uint32_t& held = held_.at(slot);
  while (held > 0) {
    --held;
    free_.push_back(entry(slot, held));
    entry(slot, held) = -1;
  }
}

}  // namespace eyrie::cuda
