#pragma once
// The numbers of the kernels: bf16 (numbers/bfloat16.h) and e4m3 (numbers/float8.h), the same types and bits on the host, on the card
// and in emulation; here what is added for words of several.

#include <cstdint>

#include "numbers/bfloat16.h"
#include "numbers/float8.h"

namespace eyrie::cuda {

EYRIE_INLINE uint32_t bits_of(float v) { return __builtin_bit_cast(uint32_t, v); }
EYRIE_INLINE float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

/// Two neighbours in one word, as fragments and loads of 4 bytes hold them: the first in the low half.
EYRIE_INLINE uint32_t pack(bf16 first, bf16 second) { return first.bits | (static_cast<uint32_t>(second.bits) << 16); }
EYRIE_INLINE bf16 low_half(uint32_t two) { return bf16{static_cast<uint16_t>(two & 0xffffu)}; }
EYRIE_INLINE bf16 high_half(uint32_t two) { return bf16{static_cast<uint16_t>(two >> 16)}; }

/// Four neighbours in one word, the first in the lowest byte.
EYRIE_INLINE uint32_t pack(e4m3 a, e4m3 b, e4m3 c, e4m3 d) {
  return static_cast<uint32_t>(a.bits) | static_cast<uint32_t>(b.bits) << 8 | static_cast<uint32_t>(c.bits) << 16 |
         static_cast<uint32_t>(d.bits) << 24;
}

}  // namespace eyrie::cuda
