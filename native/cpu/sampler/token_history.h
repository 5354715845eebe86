#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace eyrie {

/// Which tokens a sequence has seen: what the penalties need. Cost is per distinct id, not per vocabulary entry.
class TokenHistory {
 public:
  explicit TokenHistory(int64_t vocab) : entries_(static_cast<size_t>(vocab)) {}
  void add_prompt(int32_t id);
  void add_output(int32_t id);
  void clear();

  int64_t output_tokens() const { return output_tokens_; }
  const std::vector<int32_t>& distinct() const { return distinct_; }
  uint32_t output_count(int32_t id) const { return entries_[static_cast<size_t>(id)].output; }

 private:
  struct Entry {
    bool seen = false;
    uint32_t output = 0;
  };
  Entry& see(int32_t id);
  std::vector<Entry> entries_;  // [vocab]
  std::vector<int32_t> distinct_;
  int64_t output_tokens_ = 0;
};

}  // namespace eyrie
