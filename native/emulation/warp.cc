#include "emulation/warp.h"

#include <cstdio>
#include <cstring>

#include "emulation/run_grid.h"

namespace eyrie::emulation {

const char* name_of(Collective kind) {
  switch (kind) {
    case Collective::sync_warp: return "__syncwarp";
    case Collective::shuffle: return "__shfl_sync";
    case Collective::shuffle_xor: return "__shfl_xor_sync";
    case Collective::shuffle_up: return "__shfl_up_sync";
    case Collective::shuffle_down: return "__shfl_down_sync";
    case Collective::ballot: return "__ballot_sync";
    case Collective::any: return "__any_sync";
    case Collective::all: return "__all_sync";
    case Collective::mma: return "mma";
    case Collective::ldmatrix: return "ldmatrix";
  }
  return "collective";
}

std::string text_of(const Site& site) {
  const char* slash = std::strrchr(site.file_name(), '/');
  return std::string(slash == nullptr ? site.file_name() : slash + 1) + ":" + std::to_string(site.line());
}

bool same_site(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() &&
         (a.file_name() == b.file_name() || std::strcmp(a.file_name(), b.file_name()) == 0);
}

namespace {

std::string lanes(uint32_t mask) {
  char text[16];
  std::snprintf(text, sizeof text, "0x%08x", mask);
  return text;
}

}  // namespace

bool Warp::arrive(Collective kind, uint32_t mask, unsigned lane, const Site& site) {
  const uint32_t self = 1u << lane;
  if ((mask & self) == 0) {
    fail(std::string(name_of(kind)) + " at " + text_of(site) + ": the mask " + lanes(mask) + " does not name the lane that calls, " +
         std::to_string(lane));
  }
  for (int i = 0; i < group_count; ++i) {
    LaneGroup& group = groups[i];
    if (group.mask != mask || group.kind != kind || !same_site(group.site, site)) continue;
    group.arrived |= self;
    if (group.arrived != mask) return false;
    group = groups[--group_count];
    return true;
  }
  if ((mask & ~live) != 0) fail(missing(LaneGroup{kind, mask, self, site}));
  if (mask == self) return true;
  groups[group_count++] = LaneGroup{kind, mask, self, site};
  return false;
}

std::string Warp::missing(const LaneGroup& group) const {
  return std::string(name_of(group.kind)) + " at " + text_of(group.site) + " with mask " + lanes(group.mask) + " can never end: lanes " +
         lanes(group.mask & ~live) + " have ended or never were";
}

std::string Warp::describe() const {
  std::string text;
  for (int i = 0; i < group_count; ++i) {
    text += (i == 0 ? "" : "; ");
    text += "lanes " + lanes(groups[i].arrived) + " wait in " + name_of(groups[i].kind) + " at " + text_of(groups[i].site) + " for lanes " +
            lanes(groups[i].mask & ~groups[i].arrived);
  }
  return text;
}

}  // namespace eyrie::emulation
