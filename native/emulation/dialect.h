#pragma once
// What g++ needs to compile our .cu files: the qualifiers, built-in variables, vector types and functions of CUDA that the kernels are
// allowed to use, and no others, so that the emulation cannot fall behind the kernels unnoticed. Global names, as in CUDA.

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <source_location>
#include <type_traits>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __restrict__ __restrict

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

/// Set at each switch to the fiber that runs; a fiber never moves to another host thread.
extern constinit thread_local uint3 threadIdx;
extern constinit thread_local uint3 blockIdx;
extern constinit thread_local uint3 blockDim;
extern constinit thread_local uint3 gridDim;

namespace eyrie::emulation {

using Site = std::source_location;

enum class Collective : uint8_t { sync_warp, shuffle, shuffle_xor, shuffle_up, shuffle_down, ballot, any, all, mma, ldmatrix };

void sync_threads(Site site);
void sync_warp(uint32_t mask, Site site);
/// Every lane of `mask` gives `value` and gets that of lane `source`, which must be in the mask.
uint64_t exchange(Collective kind, uint32_t mask, uint64_t value, unsigned source, Site site);
/// Bit i: lane i is in the mask and its `predicate` holds.
uint32_t vote(Collective kind, uint32_t mask, bool predicate, Site site);
/// A point at which another thread may go on: atomics are no barrier and their order is open.
void may_switch();
unsigned lane_index();

template <class T>
T shuffle(Collective kind, uint32_t mask, T value, unsigned source, Site site) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) <= 8, "a shuffle moves a number of at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  bits = exchange(kind, mask, bits, source, site);
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace eyrie::emulation

// --- barriers and warps; a default argument, so that messages can name the line of the kernel ---
#define EYRIE_SITE ::eyrie::emulation::Site site = ::eyrie::emulation::Site::current()

inline void __syncthreads(EYRIE_SITE) { ::eyrie::emulation::sync_threads(site); }
inline void __syncwarp(unsigned mask = 0xffffffffu, EYRIE_SITE) { ::eyrie::emulation::sync_warp(mask, site); }

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, EYRIE_SITE) {
  const unsigned self = ::eyrie::emulation::lane_index(), first = self & ~(static_cast<unsigned>(width) - 1);
  return ::eyrie::emulation::shuffle(::eyrie::emulation::Collective::shuffle, mask, value,
                                     first + (static_cast<unsigned>(lane) & (static_cast<unsigned>(width) - 1)), site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, EYRIE_SITE) {
  const unsigned self = ::eyrie::emulation::lane_index(), other = self ^ static_cast<unsigned>(lane_mask);
  // Lower segments may be read, higher ones not.
  const unsigned end = (self | (static_cast<unsigned>(width) - 1)) + 1;
  return ::eyrie::emulation::shuffle(::eyrie::emulation::Collective::shuffle_xor, mask, value, other < end ? other : self, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32, EYRIE_SITE) {
  const unsigned self = ::eyrie::emulation::lane_index(), first = self & ~(static_cast<unsigned>(width) - 1);
  return ::eyrie::emulation::shuffle(::eyrie::emulation::Collective::shuffle_up, mask, value, self - first >= delta ? self - delta : self,
                                     site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32, EYRIE_SITE) {
  const unsigned self = ::eyrie::emulation::lane_index(), end = (self | (static_cast<unsigned>(width) - 1)) + 1;
  return ::eyrie::emulation::shuffle(::eyrie::emulation::Collective::shuffle_down, mask, value, self + delta < end ? self + delta : self,
                                     site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, EYRIE_SITE) {
  return ::eyrie::emulation::vote(::eyrie::emulation::Collective::ballot, mask, predicate != 0, site);
}
inline int __any_sync(unsigned mask, int predicate, EYRIE_SITE) {
  return ::eyrie::emulation::vote(::eyrie::emulation::Collective::any, mask, predicate != 0, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, EYRIE_SITE) {
  return ::eyrie::emulation::vote(::eyrie::emulation::Collective::all, mask, predicate != 0, site) == mask;
}

inline void __threadfence() {}
inline void __threadfence_block() {}

// --- bits ---
inline int __popc(unsigned v) { return std::popcount(v); }
inline int __popcll(unsigned long long v) { return std::popcount(v); }
inline int __ffs(int v) { return __builtin_ffs(v); }
inline int __ffsll(long long v) { return __builtin_ffsll(v); }
inline int __clz(int v) { return std::countl_zero(static_cast<unsigned>(v)); }
inline int __clzll(long long v) { return std::countl_zero(static_cast<unsigned long long>(v)); }
inline unsigned __float_as_uint(float v) { return std::bit_cast<unsigned>(v); }
inline int __float_as_int(float v) { return std::bit_cast<int>(v); }
inline float __uint_as_float(unsigned v) { return std::bit_cast<float>(v); }
inline float __int_as_float(int v) { return std::bit_cast<float>(v); }

template <class T>
T __ldg(const T* address) {
  return *address;
}

// --- atomics: integers of 32 and 64 bits only, a sum of floats would depend on the order ---
namespace eyrie::emulation {
/// The types for which CUDA has every one of these: uint64_t is another type than unsigned long long and does not compile there either.
template <class T>
concept AtomicInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

template <AtomicInteger T, class Change>
T atomic_change(T* address, Change change) {
  may_switch();
  T old = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (!__atomic_compare_exchange_n(address, &old, change(old), true, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
  return old;
}
}  // namespace eyrie::emulation

template <::eyrie::emulation::AtomicInteger T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  using Unsigned = std::make_unsigned_t<T>;
  return ::eyrie::emulation::atomic_change(
      address, [=](T old) { return static_cast<T>(static_cast<Unsigned>(old) + static_cast<Unsigned>(value)); });
}
template <::eyrie::emulation::AtomicInteger T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return ::eyrie::emulation::atomic_change(address, [=](T old) { return old < value ? value : old; });
}
template <::eyrie::emulation::AtomicInteger T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return ::eyrie::emulation::atomic_change(address, [=](T old) { return value < old ? value : old; });
}
template <::eyrie::emulation::AtomicInteger T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return ::eyrie::emulation::atomic_change(address, [=](T old) { return old | value; });
}
template <::eyrie::emulation::AtomicInteger T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return ::eyrie::emulation::atomic_change(address, [=](T) { return value; });
}
template <::eyrie::emulation::AtomicInteger T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return ::eyrie::emulation::atomic_change(address, [=](T old) { return old == expected ? value : old; });
}

// --- the integer minimum and maximum that CUDA has as global names ---
inline int min(int a, int b) { return b < a ? b : a; }
inline int max(int a, int b) { return a < b ? b : a; }
inline unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
inline unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
inline long min(long a, long b) { return b < a ? b : a; }
inline long max(long a, long b) { return a < b ? b : a; }
inline unsigned long min(unsigned long a, unsigned long b) { return b < a ? b : a; }
inline unsigned long max(unsigned long a, unsigned long b) { return a < b ? b : a; }
