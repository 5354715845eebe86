#pragma once
// int8 weights to the bfloat16 form of a panel, step by step (panel_layout.h). Exact.

#include "cpu/packing/panel_layout.h"

namespace eyrie {

/// A slice of int8 weights as bfloat16.
struct ExpandedSlice {
  alignas(64) bf16 values[kRangeSteps * kPanelStep * kPanelColumns];
};

template <class V>
EYRIE_INLINE void expand_codes(const void* codes, int64_t steps, ExpandedSlice& out) {
  const uint8_t* from = static_cast<const uint8_t*>(codes);
  bf16* to = out.values;
  // 64 codes are two rows of 16 pairs, in runs of 8.
  for (int64_t group = 0; group < steps * 16; group++, from += 64, to += 64) {
    for (int64_t run = 0; run < 4; ++run) {
      bf16 both[16];
      V::load_codes(from + run * 16).store_bf16(both);
      for (int64_t i = 0; i < 8; ++i) {
        to[run * 8 + i] = both[i];
        to[32 + run * 8 + i] = both[8 + i];
      }
    }
  }
}

}  // namespace eyrie
