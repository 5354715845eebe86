#pragma once
// The bits of a float and back, on both devices (std::bit_cast is a function of the host alone).

#include <cstdint>

#include "numbers/hd.h"

namespace eyrie {

EYRIE_INLINE constexpr uint32_t bits_of(float v) { return __builtin_bit_cast(uint32_t, v); }
EYRIE_INLINE constexpr float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

}  // namespace eyrie
