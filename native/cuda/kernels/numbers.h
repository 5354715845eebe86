#pragma once
// bf16 and FP8 (e4m3) numbers for kernels and for the host, in integer arithmetic, so that both get the same bits.
//
// e4m3 is that of the cards ("e4m3fn"): 1 sign, 4 exponent (bias 7), 3 mantissa bits; no infinity, 0x7f and 0xff are NaN, the largest
// number is 448, the smallest 2^-9.

#include <cstdint>
#include <cstring>

#if defined(__CUDACC__)
#define EYRIE_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define EYRIE_HOST_DEVICE inline __attribute__((always_inline))
#endif

namespace eyrie::cuda {

struct bf16 {
  uint16_t bits;
};
static_assert(sizeof(bf16) == 2);

struct e4m3 {
  uint8_t bits;
};
static_assert(sizeof(e4m3) == 1);

inline constexpr float kLargestE4m3 = 448.0f;

EYRIE_HOST_DEVICE uint32_t bits_of(float v) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return bits;
}

EYRIE_HOST_DEVICE float float_of(uint32_t bits) {
  float v;
  memcpy(&v, &bits, sizeof v);
  return v;
}

EYRIE_HOST_DEVICE float to_float(bf16 v) { return float_of(static_cast<uint32_t>(v.bits) << 16); }

/// Round to nearest, ties to even; a NaN stays a (quiet) NaN; denormals are kept.
EYRIE_HOST_DEVICE bf16 to_bf16(float v) {
  const uint32_t u = bits_of(v);
  if ((u & 0x7fffffffu) > 0x7f800000u) return bf16{static_cast<uint16_t>((u >> 16) | 0x40u)};
  return bf16{static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16)};
}

/// Two neighbours in one word, as fragments and 4-byte loads hold them: the first in the low half.
EYRIE_HOST_DEVICE uint32_t pack(bf16 first, bf16 second) { return first.bits | (static_cast<uint32_t>(second.bits) << 16); }
EYRIE_HOST_DEVICE bf16 low_half(uint32_t two) { return bf16{static_cast<uint16_t>(two & 0xffffu)}; }
EYRIE_HOST_DEVICE bf16 high_half(uint32_t two) { return bf16{static_cast<uint16_t>(two >> 16)}; }

EYRIE_HOST_DEVICE float to_float(e4m3 v) {
  const uint32_t sign = static_cast<uint32_t>(v.bits & 0x80u) << 24;
  const uint32_t exponent = (v.bits >> 3) & 15u, mantissa = v.bits & 7u;
  if ((v.bits & 0x7fu) == 0x7fu) return float_of(sign | 0x7fc00000u);
  if (exponent == 0) return float_of(sign | bits_of(static_cast<float>(mantissa) * 0.001953125f));  // mantissa * 2^-9
  return float_of(sign | ((exponent + 120u) << 23) | (mantissa << 20));
}

/// Round to nearest, ties to even; beyond +-448 (infinity, too) becomes +-448, NaN 0x7f.
EYRIE_HOST_DEVICE e4m3 to_e4m3(float v) {
  const uint32_t u = bits_of(v), magnitude = u & 0x7fffffffu;
  const uint32_t sign = (u >> 24) & 0x80u;
  if (magnitude > 0x7f800000u) return e4m3{0x7f};
  if (magnitude >= 0x43e00000u) return e4m3{static_cast<uint8_t>(sign | 0x7eu)};  // 448 and more
  uint32_t code;
  if (magnitude >= 0x3c800000u) {  // 2^-6, the smallest normal number: drop 20 bits of the mantissa, a carry goes into the exponent
    code = ((magnitude + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20) - (120u << 3);
  } else if (magnitude < 0x3a800000u) {  // below 2^-10, half of the smallest number
    code = 0;
  } else {
    // A multiple of 2^-9: the mantissa with its leading one, moved right by 141 - exponent, which is 20 to 24 bits.
    const uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u, shift = 141u - (magnitude >> 23);
    const uint32_t half = 1u << (shift - 1), kept = mantissa >> shift;
    code = (mantissa + half - 1u + (kept & 1u)) >> shift;
  }
  return e4m3{static_cast<uint8_t>(sign | code)};
}

}  // namespace eyrie::cuda
