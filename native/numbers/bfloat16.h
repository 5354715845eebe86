#pragma once
// bfloat16: the upper half of a float. Conversions are bit operations, so they are the same on every ISA level and on a card.

#include <cstdint>

#include "numbers/bits.h"
#include "numbers/hd.h"

namespace eyrie {

struct bf16 {
  uint16_t bits;
};
static_assert(sizeof(bf16) == 2);

EYRIE_INLINE float to_float(bf16 v) { return float_of(uint32_t{v.bits} << 16); }

/// Round to nearest, ties to even; a NaN stays a (quiet) NaN; denormals are kept.
EYRIE_INLINE bf16 to_bf16(float v) {
  const uint32_t u = bits_of(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((u >> 16) | 0x40u)};
  return bf16{static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

}  // namespace eyrie
