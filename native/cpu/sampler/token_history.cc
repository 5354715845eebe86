#include "cpu/sampler/token_history.h"

namespace eyrie {

TokenHistory::Entry& TokenHistory::see(int32_t id) {
  Entry& entry = entries_[static_cast<size_t>(id)];
  if (!entry.seen) {
    entry.seen = true;
    distinct_.push_back(id);
  }
  return entry;
}

void TokenHistory::add_prompt(int32_t id) { see(id); }

void TokenHistory::add_output(int32_t id) {
  ++see(id).output;
  ++output_tokens_;
}

void TokenHistory::clear() {
  for (const int32_t id : distinct_) entries_[static_cast<size_t>(id)] = {};
  distinct_.clear();
  output_tokens_ = 0;
}

}  // namespace eyrie
