#pragma once
// Whether a waiting request was overtaken by at least `limit` later ones of other groups.
//
// No request counts for itself. What is kept are the taken requests that arrived last: at most `limit` of a group, at most
// 2 * limit in all. That is enough: one that is left out has either `limit` later ones of its own group beside it, which all count
// wherever it would, or 2 * limit later ones in all, of which at most `limit` are of the waiting one's group.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace eyrie {

class Overtakers {
 public:
  explicit Overtakers(uint32_t limit) : limit_(limit) {}

  void add_taken(uint64_t arrival, uint32_t group) {
    const auto later = [&](const Taken& one) { return one.arrival > arrival; };
    taken_.insert(std::find_if_not(taken_.begin(), taken_.end(), later), {arrival, group});
    const auto same_group = [&](const Taken& one) { return one.group == group; };
    if (std::count_if(taken_.begin(), taken_.end(), same_group) > limit_) {
      taken_.erase(std::find_if(taken_.rbegin(), taken_.rend(), same_group).base() - 1);
    }
    if (taken_.size() > size_t{2} * limit_) taken_.pop_back();
  }

  /// `arrival` still waits.
  bool overtook(uint64_t arrival, uint32_t group) const {
    const auto counts = [&](const Taken& one) { return one.arrival > arrival && one.group != group; };
    return std::count_if(taken_.begin(), taken_.end(), counts) >= limit_;
  }

 private:
  struct Taken {
    uint64_t arrival = 0;
    uint32_t group = 0;
  };

  std::ptrdiff_t limit_;
  std::vector<Taken> taken_;  // last arrival first
};

}  // namespace eyrie
