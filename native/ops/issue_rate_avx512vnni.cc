#include "ops/issue_loop.h"
#include "ops/issue_rate.h"

namespace eyrie {

void issue_dpbusd(int64_t rounds) {
  for (int64_t i = 0; i < rounds; i++) {
#define EYRIE_ONE(n) "vpdpbusd %%zmm14, %%zmm15, %%zmm" #n "\n"
    asm volatile(EYRIE_TWELVE(EYRIE_ONE)::: EYRIE_TWELVE_CLOBBERS);
#undef EYRIE_ONE
  }
}

}  // namespace eyrie
