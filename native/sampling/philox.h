#pragma once
// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
// A draw is a pure function of (seed, request, token index), so a sequence gives the same text on any worker, in any
// order, after any restart.

#include <cstdint>

#include "numbers/hd.h"

namespace eyrie {

/// 128 bits, the least significant word first.
struct PhiloxBlock {
  uint32_t w0, w1, w2, w3;
  bool operator==(const PhiloxBlock&) const = default;
};

/// Ten rounds over a 128-bit counter with a 64-bit key, its least significant word first.
EYRIE_INLINE constexpr PhiloxBlock philox4x32(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter.w0, b = uint64_t{0xCD9E8D57u} * counter.w2;
    counter = {static_cast<uint32_t>(b >> 32) ^ counter.w1 ^ key0, static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter.w3 ^ key1, static_cast<uint32_t>(a)};
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
  return counter;
}

/// The 24 random bits of a draw: key = seed, counter = (token index, request).
EYRIE_INLINE constexpr uint32_t philox_bits(uint64_t seed, uint64_t request, uint64_t token_index) {
  const PhiloxBlock counter{static_cast<uint32_t>(token_index), static_cast<uint32_t>(token_index >> 32), static_cast<uint32_t>(request),
                            static_cast<uint32_t>(request >> 32)};
  return philox4x32(counter, static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)).w0 >> 8;
}

/// The same as a number in [0, 1), a multiple of 2^-24.
EYRIE_INLINE constexpr float philox_uniform(uint64_t seed, uint64_t request, uint64_t token_index) {
  return static_cast<float>(philox_bits(seed, request, token_index)) * 0x1p-24f;
}

}  // namespace eyrie
