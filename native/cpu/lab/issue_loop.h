#pragma once
#include <cstdint>

/// Defines `void name(int64_t rounds)`: one instruction on twelve registers in turn, each a sum of its own, so that none waits
/// for another. `vector` is "ymm" or "zmm".
#define EYRIE_ISSUE_LOOP(name, instruction, vector)                                                                            \
  void name(int64_t rounds) {                                                                                                  \
    for (int64_t i = 0; i < rounds; ++i)                                                                                       \
      asm volatile(".irp sum, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n" instruction " %%" vector "14, %%" vector "15, %%" vector \
                   "\\sum\n.endr" ::                                                                                           \
                       : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11");    \
  }
