#pragma once
// The cp.async of one thread: the target holds 0xFF bytes from the copy's start until its group was waited for.

#include <cstdint>
#include <vector>

namespace eyrie::emulation {

class AsyncCopies {
 public:
  /// 16 bytes, zeros when not `valid`.
  void start(void* shared, const void* global, bool valid);
  void commit() { ++group_; }
  /// Until at most `newest` committed groups are under way.
  void wait(uint32_t newest);
  void clear();

 private:
  struct Copy {
    void* to;
    const void* from;  // null: zeros
    uint32_t group;
  };
  std::vector<Copy> under_way_;
  uint32_t group_ = 0;  // the one that is filled; those before are committed
};

}  // namespace eyrie::emulation
