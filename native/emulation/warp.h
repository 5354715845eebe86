#pragma once
// A warp: which lanes live, which may go on, and the collectives they wait in.

#include <cstdint>
#include <string>

#include "emulation/dialect.h"

namespace eyrie::emulation {

const char* name_of(Collective kind);
std::string text_of(const Site& site);
bool same_site(const Site& a, const Site& b);

/// Lanes that wait for each other: same operation, same mask, same place in the source.
struct LaneGroup {
  Collective kind;
  uint32_t mask;
  uint32_t arrived;
  Site site;
};

struct Warp {
  uint32_t live = 0;     // not ended
  uint32_t ready = 0;    // may go on (or start)
  uint32_t started = 0;  // has a fiber
  int group_count = 0;
  LaneGroup groups[32];
  // What the lanes brought to the collective they wait in, and what they take from it.
  uint64_t value[32];
  uint32_t source[32];
  uint64_t result[32];

  /// Lane `lane` joins; true when it was the last of the mask: the group is gone then, and the lane finishes for all.
  bool arrive(Collective kind, uint32_t mask, unsigned lane, const Site& site);
  /// For messages: which lanes of the group's mask do not live.
  std::string missing(const LaneGroup& group) const;
  /// For messages: who waits where.
  std::string describe() const;
};

}  // namespace eyrie::emulation
