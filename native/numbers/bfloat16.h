#pragma once
// bfloat16: the upper half of a float. Conversions are bit operations, so they are the same on every ISA level and on every device.

#include <cstdint>

namespace eyrie {

/// Always inlined: a shared out-of-line copy could come from a file compiled for a newer CPU than the one at hand. In CUDA code for
/// both sides; std::bit_cast is a host function there, hence __builtin_bit_cast.
#if defined(__CUDACC__)
#define EYRIE_INLINE __host__ __device__ __forceinline__
#else
#define EYRIE_INLINE inline __attribute__((always_inline))
#endif

struct bf16 {
  uint16_t bits;
};
static_assert(sizeof(bf16) == 2);

EYRIE_INLINE float to_float(bf16 v) { return __builtin_bit_cast(float, static_cast<uint32_t>(v.bits) << 16); }

/// Round to nearest, ties to even; a NaN stays a (quiet) NaN; denormals are kept.
EYRIE_INLINE bf16 to_bf16(float v) {
  const uint32_t u = __builtin_bit_cast(uint32_t, v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((u >> 16) | 0x40u)};
  return bf16{static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

}  // namespace eyrie
