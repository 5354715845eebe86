#include "engine/waiting_queue.h"

#include <algorithm>
#include <utility>

namespace eyrie {

namespace {

// FNV-1a. A collision costs a bad place in the queue and nothing else: prefixes are compared token by token before a copy.
uint64_t hash_prefix(const WaitingRequest& request) {
  if (!request.may_copy_prefix || request.prompt_ids.size() <= kPrefixTokens) return 0;
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint32_t id : request.prompt_ids.first(kPrefixTokens)) hash = (hash ^ id) * 0x100000001b3;
  return hash | 1;
}

}  // namespace

void WaitingQueue::add(const WaitingRequest& request) {
  const auto behind_urgent = entries_.begin() + static_cast<std::ptrdiff_t>(urgent_);
  entries_.insert(request.urgent ? behind_urgent : entries_.end(), {request, hash_prefix(request), 0});
  if (request.urgent) ++urgent_;
}

bool WaitingQueue::remove(uint64_t id) {
  const auto found = std::find_if(entries_.begin(), entries_.end(), [id](const Entry& entry) { return entry.request.id == id; });
  if (found == entries_.end()) return false;
  if (found->request.urgent) --urgent_;
  entries_.erase(found);
  return true;
}

size_t WaitingQueue::choose(const OutputEstimate& estimate) const {
  if (urgent_ > 0) return 0;
  const Entry& eldest = entries_.front();
  const bool eldest_group_only = eldest.overtaken >= kOvertakenMax;
  // Rank: same prefix as the last one, then length, then arrival (the vector's order).
  using Rank = std::pair<int, uint64_t>;
  size_t best = 0;
  Rank best_rank{-1, 0};
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    if (eldest_group_only && entry.request.group != eldest.request.group) continue;
    const bool same_prefix = entry.prefix_hash != 0 && entry.prefix_hash == last_prefix_hash_;
    const Rank rank{same_prefix ? 1 : 0, entry.request.prompt_ids.size() + estimate.expect(entry.request.max_tokens)};
    if (rank > best_rank) {
      best = i;
      best_rank = rank;
    }
  }
  return best;
}

std::optional<WaitingRequest> WaitingQueue::take_next(const OutputEstimate& estimate) {
  if (entries_.empty()) return std::nullopt;
  const auto chosen = entries_.begin() + static_cast<std::ptrdiff_t>(choose(estimate));
  const WaitingRequest request = chosen->request;
  last_prefix_hash_ = chosen->prefix_hash;
  for (auto earlier = entries_.begin() + static_cast<std::ptrdiff_t>(urgent_); earlier < chosen; ++earlier) {
    if (earlier->request.group != request.group) ++earlier->overtaken;
  }
  if (request.urgent) --urgent_;
  entries_.erase(chosen);
  return request;
}

}  // namespace eyrie
