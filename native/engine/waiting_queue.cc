#include "engine/waiting_queue.h"

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
  const uint64_t arrival = arrived_++;
  arrivals_.emplace(request.id, arrival);
  Entries& entries = request.urgent ? urgent_ : patient_;
  const auto entry = entries.emplace_hint(entries.end(), arrival, Entry{request, hash_prefix(request)});
  if (request.urgent) return;
  change_scopes(arrival, entry->second, [](LongestFirst& in, const LongestFirst::Item& item) { in.insert(item); });
}

template <typename Change>
void WaitingQueue::change_scopes(uint64_t arrival, const Entry& entry, const Change& change) {
  const WaitingRequest& request = entry.request;
  LongestFirst::Item item{{}, request.max_tokens, static_cast<uint32_t>(request.prompt_ids.size()), arrival};
  change(all_, item);
  item.scope = {0, request.group};
  change(by_group_, item);
  if (entry.prefix_hash == 0) return;
  item.scope = {entry.prefix_hash, request.group};
  change(by_group_and_prefix_, item);
  item.scope = {entry.prefix_hash, 0};
  change(by_prefix_, item);
}

void WaitingQueue::drop_patient(Entries::iterator entry) {
  change_scopes(entry->first, entry->second, [](LongestFirst& in, const LongestFirst::Item& item) { in.erase(item); });
  if (head_ == entry->first) head_.reset();
  arrivals_.erase(entry->second.request.id);
  patient_.erase(entry);
}

bool WaitingQueue::remove(uint64_t id) {
  const auto found = arrivals_.find(id);
  if (found == arrivals_.end()) return false;
  const auto entry = patient_.find(found->second);
  if (entry != patient_.end()) {
    drop_patient(entry);
    return true;
  }
  urgent_.erase(found->second);
  arrivals_.erase(found);
  return true;
}

uint64_t WaitingQueue::choose(uint32_t output_limit) const {
  const auto& [eldest, entry] = *patient_.begin();
  if (overtakers_.overtook(eldest, entry.request.group)) {
    return choose_in(by_group_and_prefix_, by_group_, entry.request.group, output_limit);
  }
  return choose_in(by_prefix_, all_, 0, output_limit);
}

/// One with the prefix of the last one, if there is one.
uint64_t WaitingQueue::choose_in(const LongestFirst& same_prefix, const LongestFirst& any, uint32_t group, uint32_t output_limit) const {
  if (last_prefix_hash_ != 0) {
    const uint64_t follower = same_prefix.longest({last_prefix_hash_, group}, output_limit);
    if (follower != LongestFirst::kNone) return follower;
  }
  return any.longest({0, group}, output_limit);
}

const WaitingRequest* WaitingQueue::next(const OutputEstimate& estimate) {
  if (!urgent_.empty()) return &urgent_.begin()->second.request;
  if (patient_.empty()) return nullptr;
  if (!head_) head_ = choose(estimate.limit());
  return &patient_.at(*head_).request;
}

void WaitingQueue::take() {
  if (!urgent_.empty()) {
    const auto entry = urgent_.begin();
    last_prefix_hash_ = entry->second.prefix_hash;
    arrivals_.erase(entry->second.request.id);
    urgent_.erase(entry);
    return;
  }
  const auto entry = patient_.find(*head_);
  last_prefix_hash_ = entry->second.prefix_hash;
  overtakers_.add_taken(entry->first, entry->second.request.group);
  drop_patient(entry);
}

}  // namespace eyrie
