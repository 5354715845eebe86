#pragma once
// Philox4x32-10, the counter-based generator of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011).
// A draw is a pure function of (seed, request, token index), so a sequence gives the same text on any worker, in any
// order, after any restart.

#include <array>
#include <cstdint>

namespace eyrie {

/// Ten rounds over a 128-bit counter with a 64-bit key, words least significant first.
constexpr std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xD2511F53u} * counter[0], b = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// Uniform in [0, 1), a multiple of 2^-24: key = seed, counter = (token index, request).
constexpr float philox_uniform(uint64_t seed, uint64_t request, uint64_t token_index) {
  const std::array<uint32_t, 4> words = philox4x32({static_cast<uint32_t>(token_index), static_cast<uint32_t>(token_index >> 32),
                                                    static_cast<uint32_t>(request), static_cast<uint32_t>(request >> 32)},
                                                   {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  return static_cast<float>(words[0] >> 8) * 0x1p-24f;
}

}  // namespace eyrie
