#pragma once
// The instructions of the tensor cores and of asynchronous copies: inline PTX for nvcc, collectives of the emulation for g++. Layouts
// are those of the PTX ISA. With g = lane / 4 and t = lane % 4, a register of two bf16 holds the element of the lower index in its
// lower half, and for m16n8k16:
//
//   a[0] = A[g][2t, 2t+1]      a[1] = A[g+8][2t, 2t+1]      a[2] = A[g][2t+8, 2t+9]      a[3] = A[g+8][2t+8, 2t+9]
//   b[0] = B[2t, 2t+1][g]      b[1] = B[2t+8, 2t+9][g]      (B is [k][n])
//   d[0], d[1] = D[g][2t, 2t+1]                             d[2], d[3] = D[g+8][2t, 2t+1]
//
// All lanes of the warp take part in mma and ldmatrix.

#include <cstdint>

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"

#if !defined(__CUDACC__)
#include "emulation/matrix_ops.h"
#endif

#if defined(__CUDACC__)
#define EYRIE_WARP_SITE
#else
// The place of the call, for messages of the emulation.
#define EYRIE_WARP_SITE , ::eyrie::emulation::Site site = ::eyrie::emulation::Site::current()
#endif

namespace eyrie::cuda {

/// d += a * b for a tile of 16 x 8 x 16. The order of the sum is the tensor core's; in emulation d first, then k ascending, each
/// product exact and each sum rounded to float.
__device__ __forceinline__ void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] EYRIE_WARP_SITE) {
#if defined(__CUDACC__)
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};\n"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
  emulation::mma_m16n8k16_bf16(d, a, b, site);
#endif
}

#if defined(__CUDACC__)
__device__ __forceinline__ uint32_t shared_address(const void* address) { return static_cast<uint32_t>(__cvta_generic_to_shared(address)); }
#endif

/// Four 8 x 8 matrices of 16-bit elements from shared memory: lane 8i + r gives the address of row r of matrix i (16 bytes, aligned to
/// 16), r[i] becomes matrix i's elements [g][2t, 2t+1].
__device__ __forceinline__ void ldmatrix_x4(uint32_t (&r)[4], const void* row_address EYRIE_WARP_SITE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row_address))
               : "memory");
#else
  emulation::ldmatrix(r, 4, false, row_address, site);
#endif
}

/// As ldmatrix_x4, each matrix transposed: r[i] becomes the elements [2t, 2t+1][g].
__device__ __forceinline__ void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row_address EYRIE_WARP_SITE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];\n"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row_address))
               : "memory");
#else
  emulation::ldmatrix(r, 4, true, row_address, site);
#endif
}

/// Two matrices; the addresses of lanes 0 to 15 count.
__device__ __forceinline__ void ldmatrix_x2(uint32_t (&r)[2], const void* row_address EYRIE_WARP_SITE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];\n"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row_address))
               : "memory");
#else
  emulation::ldmatrix(r, 2, false, row_address, site);
#endif
}

__device__ __forceinline__ void ldmatrix_x2_trans(uint32_t (&r)[2], const void* row_address EYRIE_WARP_SITE) {
#if defined(__CUDACC__)
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];\n"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(shared_address(row_address))
               : "memory");
#else
  emulation::ldmatrix(r, 2, true, row_address, site);
#endif
}

/// Starts a copy of 16 bytes (both addresses aligned to 16) past the L1 cache; zeros when not `valid`, `global` is not read then.
/// The thread that started it may read the target after cp_async_wait, others after a barrier that follows.
__device__ __forceinline__ void cp_async_16(void* shared, const void* global, bool valid) {
#if defined(__CUDACC__)
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(shared)), "l"(__cvta_generic_to_global(global)),
               "r"(valid ? 16 : 0)
               : "memory");
#else
  emulation::start_copy_16(shared, global, valid);
#endif
}

/// Closes the group of the copies that the thread has started since the last one (there may be none).
__device__ __forceinline__ void cp_async_commit() {
#if defined(__CUDACC__)
  asm volatile("cp.async.commit_group;\n" ::: "memory");
#else
  emulation::commit_copies();
#endif
}

/// Waits until at most the N newest groups of the thread are under way.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
#if defined(__CUDACC__)
  asm volatile("cp.async.wait_group %0;\n" ::"n"(N) : "memory");
#else
  emulation::wait_for_copies(N);
#endif
}

/// Two floats as bf16, the first in the low half: to_bf16() in one instruction. Any NaN becomes 0x7fff.
__device__ __forceinline__ uint32_t pack_bf16(float first, float second) {
#if defined(__CUDACC__)
  uint32_t word;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;\n" : "=r"(word) : "f"(second), "f"(first));
  return word;
#else
  const auto bits = [](float v) -> uint32_t { return v == v ? to_bf16(v).bits : 0x7fffu; };
  return bits(first) | bits(second) << 16;
#endif
}

/// Four floats as e4m3, the first in the lowest byte: to_e4m3(), where the card has an instruction for it.
__device__ __forceinline__ uint32_t pack_e4m3(float a, float b, float c, float d) {
#if defined(__CUDACC__) && __CUDA_ARCH__ >= 890
  uint16_t low, high;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(low) : "f"(b), "f"(a));
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;\n" : "=h"(high) : "f"(d), "f"(c));
  return low | static_cast<uint32_t>(high) << 16;
#else
  return pack(to_e4m3(a), to_e4m3(b), to_e4m3(c), to_e4m3(d));
#endif
}

}  // namespace eyrie::cuda
