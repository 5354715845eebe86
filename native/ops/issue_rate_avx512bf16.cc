#include "ops/issue_rate.h"

namespace eyrie {

#define EYRIE_TWELVE(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)

void issue_dpbf16(int64_t rounds) {
  for (int64_t i = 0; i < rounds; i++) {
#define EYRIE_ONE(n) "vdpbf16ps %%zmm14, %%zmm15, %%zmm" #n "\n"
    asm volatile(EYRIE_TWELVE(EYRIE_ONE)::: "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");
#undef EYRIE_ONE
  }
}

}  // namespace eyrie
