// What device code calls of the emulation.

#include <bit>

#include "emulation/block_run.h"

namespace eyrie::emulation {

void* shared_bytes_of_block() {
  BlockRun& run = BlockRun::current();
  if (run.shared_size() == 0) run.fail("shared_memory() in a kernel that was launched with no shared memory");
  return run.shared();
}

void fail(const std::string& what) { BlockRun::current().fail(what); }

void check_shared(const void* address, size_t bytes, size_t alignment, const char* what) {
  const BlockRun& run = BlockRun::current();
  const auto at = reinterpret_cast<uintptr_t>(address), first = reinterpret_cast<uintptr_t>(run.shared());
  if (at < first || at - first > run.shared_size() || run.shared_size() - (at - first) < bytes) {
    fail(std::string(what) + ": " + std::to_string(bytes) + " bytes that are not in the block's " + std::to_string(run.shared_size()) +
         " bytes of shared memory");
  }
  if (at % alignment != 0) {
    fail(std::string(what) + ": the address is byte " + std::to_string(at - first) + " of shared memory, no multiple of " +
         std::to_string(alignment));
  }
}

unsigned lane_index() { return BlockRun::current().lane(); }

void sync_threads(Site site) { BlockRun::current().sync_threads(site); }

void may_switch() { BlockRun::current().may_switch(); }

void sync_warp(uint32_t mask, Site site) {
  BlockRun::current().collective(Collective::sync_warp, mask, site, [](Warp&) {});
}

uint64_t exchange(Collective kind, uint32_t mask, uint64_t value, unsigned source, Site site) {
  BlockRun& run = BlockRun::current();
  Warp& warp = run.warp();
  const unsigned lane = run.lane();
  if (source >= 32 || (mask >> source & 1) == 0) {
    run.fail(std::string(name_of(kind)) + " at " + text_of(site) + ": lane " + std::to_string(lane) + " reads lane " +
             std::to_string(source) + ", which the mask does not name");
  }
  warp.value[lane] = value;
  warp.source[lane] = source;
  run.collective(kind, mask, site, [mask](Warp& w) {
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const int l = std::countr_zero(rest);
      w.result[l] = w.value[w.source[l]];
    }
  });
  return warp.result[lane];
}

uint32_t vote(Collective kind, uint32_t mask, bool predicate, Site site) {
  BlockRun& run = BlockRun::current();
  Warp& warp = run.warp();
  const unsigned lane = run.lane();
  warp.value[lane] = predicate;
  run.collective(kind, mask, site, [mask](Warp& w) {
    uint32_t bits = 0;
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
      const int l = std::countr_zero(rest);
      bits |= static_cast<uint32_t>(w.value[l]) << l;
    }
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) w.result[std::countr_zero(rest)] = bits;
  });
  return static_cast<uint32_t>(warp.result[lane]);
}

}  // namespace eyrie::emulation
