#pragma once
// IEEE half precision, met only as the stored type of checkpoint tensors.

#include <cstdint>

#include "numbers/bits.h"
#include "numbers/hd.h"

namespace eyrie {

struct fp16 {
  uint16_t bits;
};
static_assert(sizeof(fp16) == 2);

/// Exact: every half is a float.
EYRIE_INLINE float to_float(fp16 v) {
  const uint32_t sign = (v.bits & 0x8000u) << 16;
  const uint32_t magnitude = v.bits & 0x7fffu;
  if (magnitude >= 0x7c00u) return float_of(sign | 0x7f800000u | (magnitude & 0x3ffu) << 13);
  if (magnitude < 0x0400u) {
    const float value = static_cast<float>(magnitude) * 0x1p-24f;  // zero and denormals
    return float_of(bits_of(value) | sign);
  }
  return float_of(sign | ((magnitude << 13) + 0x38000000u));
}

}  // namespace eyrie
