#pragma once
// Requests without a slot, and the rule which of them is next.
//
// Longest expected first (prompt + expected output): the long sequences start early, so that at the end of a batch no slot is
// still busy while the others idle. Requests whose first kPrefixTokens are equal follow each other, because the later ones can
// copy what the first one computed. Urgent requests go before all others, first come first served: somebody waits for them.
//
// Requests of one group are wanted together, as the lines of a shard are. Once the request that has waited longest was overtaken
// by kOvertakenMax later ones of other groups, its group goes first. So groups end one after the other, and while one ends and
// the next is fetched, the slots have those in between to work at; without it all would end at once and leave the slots empty.
// It also keeps a worker that is fed without end from starving the short ones. Order never shows in results, only in time.
//
// Every call takes a time that grows with the logarithm of the number of requests: tens of thousands may wait, and the device
// stands still meanwhile.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>

#include "engine/longest_first.h"
#include "engine/output_estimate.h"
#include "engine/overtakers.h"

namespace eyrie {

/// Prompts that share at least this many leading tokens are worth a copy; also the granularity of a shared prefix.
inline constexpr uint32_t kPrefixTokens = 64;

struct WaitingRequest {
  uint64_t id = 0;
  /// Owned by the caller for as long as the request waits.
  std::span<const uint32_t> prompt_ids;
  uint32_t max_tokens = 0;
  /// false: every prompt row is needed (prompt log-probabilities), so nothing may be copied.
  bool may_copy_prefix = true;
  bool urgent = false;
  uint32_t group = 0;
};

class WaitingQueue {
 public:
  void add(const WaitingRequest& request);
  /// false when `id` does not wait.
  bool remove(uint64_t id);
  /// The request that is next, nullptr when none waits; valid until it is taken or removed. It stays the next one until then, unless
  /// an urgent one comes.
  const WaitingRequest* next(const OutputEstimate& estimate);
  /// Takes what next() has just told.
  void take();
  size_t size() const { return arrivals_.size(); }

 private:
  static constexpr uint32_t kOvertakenMax = 64;

  struct Entry {
    WaitingRequest request;
    /// Equal for equal first kPrefixTokens; 0 for shorter prompts.
    uint64_t prefix_hash = 0;
  };
  /// In order of arrival, which is the key.
  using Entries = std::map<uint64_t, Entry>;

  uint64_t choose(uint32_t output_limit) const;
  uint64_t choose_in(const LongestFirst& same_prefix, const LongestFirst& any, uint32_t group, uint32_t output_limit) const;
  template <typename Change>
  void change_scopes(uint64_t arrival, const Entry& entry, const Change& change);
  void drop_patient(Entries::iterator entry);

  Entries patient_;
  Entries urgent_;
  std::unordered_map<uint64_t, uint64_t> arrivals_;  // of an id
  uint64_t arrived_ = 0;
  /// The patient ones in the scopes that choose() asks for.
  LongestFirst all_;
  LongestFirst by_prefix_;
  LongestFirst by_group_;
  LongestFirst by_group_and_prefix_;
  Overtakers overtakers_{kOvertakenMax};
  /// What next() told, if it is a patient one.
  std::optional<uint64_t> head_;
  uint64_t last_prefix_hash_ = 0;
};

}  // namespace eyrie
