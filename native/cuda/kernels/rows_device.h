#pragma once
// What the kernels on rows share. A block of threads has one row, a thread has every so many-th "eight" of it: 8 neighbouring values,
// 16 bytes of bf16. Which thread has which values depends on the width alone, and so does the order of every sum.

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "cuda/kernels/pass.h"
#include "cuda/kernels/ptx.h"
#include "numbers/row_scale.h"

namespace eyrie::cuda {

inline constexpr int kEight = 8;
inline constexpr int kWarp = 32;

/// Threads of a block for a row of `eights`, of which a thread takes up to `each`: whole warps.
inline int row_threads(int64_t eights, int each) {
  const int64_t threads = (eights + each - 1) / each;
  return static_cast<int>((threads + kWarp - 1) / kWarp * kWarp);
}

/// Whether rows of this width begin at multiples of 16 bytes (bf16) when the first one does, and consist of whole eights.
inline bool in_eights(int64_t width) { return width % kEight == 0; }

// --- eights: at value `at` of a row of `width` values. kWhole: in_eights(width). Values past the end are read as zeros, not written. ---

template <bool kWhole>
__device__ __forceinline__ void load_eight(const float* row, int64_t at, int64_t width, float (&v)[kEight]) {
  if constexpr (kWhole) {
    if (at >= width) {
      for (float& x : v) x = 0.0f;
      return;
    }
    const float4 low = *reinterpret_cast<const float4*>(row + at), high = *reinterpret_cast<const float4*>(row + at + 4);
    v[0] = low.x, v[1] = low.y, v[2] = low.z, v[3] = low.w;
    v[4] = high.x, v[5] = high.y, v[6] = high.z, v[7] = high.w;
  } else {
#pragma unroll
    for (int i = 0; i < kEight; ++i) v[i] = at + i < width ? row[at + i] : 0.0f;
  }
}

template <bool kWhole>
__device__ __forceinline__ void store_eight(float* row, int64_t at, int64_t width, const float (&v)[kEight]) {
  if constexpr (kWhole) {
    if (at >= width) return;
    *reinterpret_cast<float4*>(row + at) = make_float4(v[0], v[1], v[2], v[3]);
    *reinterpret_cast<float4*>(row + at + 4) = make_float4(v[4], v[5], v[6], v[7]);
  } else {
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      if (at + i < width) row[at + i] = v[i];
    }
  }
}

/// Eight bf16 in four words.
template <bool kWhole>
__device__ __forceinline__ uint4 load_eight(const bf16* row, int64_t at, int64_t width) {
  if constexpr (kWhole) {
    return at < width ? *reinterpret_cast<const uint4*>(row + at) : make_uint4(0, 0, 0, 0);
  } else {
    uint32_t bits[kEight];
#pragma unroll
    for (int i = 0; i < kEight; ++i) bits[i] = at + i < width ? row[at + i].bits : 0u;
    return make_uint4(bits[0] | bits[1] << 16, bits[2] | bits[3] << 16, bits[4] | bits[5] << 16, bits[6] | bits[7] << 16);
  }
}

template <bool kWhole>
__device__ __forceinline__ void store_eight(bf16* row, int64_t at, int64_t width, uint4 words) {
  if constexpr (kWhole) {
    if (at < width) *reinterpret_cast<uint4*>(row + at) = words;
  } else {
    const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      if (at + i < width) row[at + i] = i % 2 == 0 ? low_half(word[i / 2]) : high_half(word[i / 2]);
    }
  }
}

/// Eight codes of 8 bits in two words.
template <bool kWhole>
__device__ __forceinline__ void store_eight(uint8_t* row, int64_t at, int64_t width, uint2 words) {
  if constexpr (kWhole) {
    if (at < width) *reinterpret_cast<uint2*>(row + at) = words;
  } else {
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      if (at + i < width) row[at + i] = static_cast<uint8_t>((i < 4 ? words.x : words.y) >> (i % 4 * 8));
    }
  }
}

__device__ __forceinline__ void widen(uint4 words, float (&v)[kEight]) {
  const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    v[2 * i] = float_of(word[i] << 16);
    v[2 * i + 1] = float_of(word[i] & 0xffff0000u);
  }
}

__device__ __forceinline__ uint4 narrow(const float (&v)[kEight]) {
  return make_uint4(pack_bf16(v[0], v[1]), pack_bf16(v[2], v[3]), pack_bf16(v[4], v[5]), pack_bf16(v[6], v[7]));
}

/// Codes of eight values. `inverse` = 1 / scale.
__device__ __forceinline__ uint2 to_codes(RowFormat format, const float (&v)[kEight], float inverse) {
  if (format == RowFormat::e4m3) {
    return make_uint2(pack_e4m3(v[0] * inverse, v[1] * inverse, v[2] * inverse, v[3] * inverse),
                      pack_e4m3(v[4] * inverse, v[5] * inverse, v[6] * inverse, v[7] * inverse));
  }
  uint32_t word[2] = {0, 0};
#pragma unroll
  for (int i = 0; i < kEight; ++i) {
    word[i / 4] |= static_cast<uint32_t>(static_cast<uint8_t>(to_int8(v[i], inverse))) << (i % 4 * 8);
  }
  return make_uint2(word[0], word[1]);
}

__device__ __forceinline__ float largest_code(RowFormat format) { return format == RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8; }

__device__ __forceinline__ float sum_of(const float (&v)[kEight]) {
  return ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + (v[6] + v[7]));
}

/// Bits of the largest |value|: as integers NaN is above infinity and infinity above all numbers, so a NaN is never lost.
__device__ __forceinline__ uint32_t largest_of(const float (&v)[kEight], uint32_t so_far) {
#pragma unroll
  for (const float x : v) so_far = max(so_far, bits_of(x) & 0x7fffffffu);
  return so_far;
}

// --- over the block: all threads take part and get the result. `scratch`: a word per warp of shared memory, used by this call alone, so
// that one barrier is enough. ---

/// Lanes of a warp by halves, then the warps ascending.
__device__ __forceinline__ float block_sum(float v, float* scratch) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) v += __shfl_xor_sync(0xffffffffu, v, distance);
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = v;
  __syncthreads();
  float sum = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) sum += scratch[warp];
  return sum;
}

__device__ __forceinline__ uint32_t warp_max(uint32_t v) {
  for (int distance = kWarp / 2; distance > 0; distance /= 2) v = max(v, __shfl_xor_sync(0xffffffffu, v, distance));
  return v;
}

__device__ __forceinline__ uint32_t block_max(uint32_t v, uint32_t* scratch) {
  v = warp_max(v);
  if (threadIdx.x % kWarp == 0) scratch[threadIdx.x / kWarp] = v;
  __syncthreads();
  uint32_t largest = scratch[0];
  for (unsigned warp = 1; warp < blockDim.x / kWarp; ++warp) largest = max(largest, scratch[warp]);
  return largest;
}

}  // namespace eyrie::cuda
