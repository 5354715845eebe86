// What would hang or be undefined on a card ends with a message that names the place, and the next launch is not harmed.

#include <gtest/gtest.h>

#include "card.h"
#include "cuda/kernels/launch.h"
#include "cuda/kernels/ptx.h"
#include "test/support/expect_error.h"

namespace eyrie::cuda {
namespace {

using eyrie::test::expect_error;
constexpr unsigned kAll = 0xffffffffu;

class Errors : public testing::Test {
 protected:
  /// `launch` must fail with this text; a kernel with barriers must run afterwards.
  template <class Launch>
  void expect(const std::string& text, Launch launch) {
    for (uint64_t seed = 1; seed <= test::kSeeds; ++seed) {
      emulation::set_seed(seed);
      expect_error(ErrorCode::internal_error, text, launch);
    }
    DeviceBuffer out = card.device.alloc(sizeof(int));
    EYRIE_LAUNCH(works, 1, 64, 64 * sizeof(int), card.stream, out.as<int>());
    EXPECT_EQ(card.get<int>(out)[0], 64);
  }
  test::Card card;

 private:
  static __global__ void works(int* out) {
    int* ones = shared_memory<int>();
    ones[threadIdx.x] = 1;
    __syncthreads();
    if (threadIdx.x > 0) return;
    *out = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) *out += ones[i];
  }
};

__global__ void some_reach_the_barrier() {
  if (threadIdx.x < 10) {
    __syncthreads();
  } else {
    __shfl_sync(kAll, 1, 0);
  }
}

TEST_F(Errors, BarrierThatOthersDoNotReach) {
  expect("10 of 32 live threads wait at __syncthreads at errors_test.cu",
         [&] { EYRIE_LAUNCH(some_reach_the_barrier, 1, 64, 0, card.stream); });
}

__global__ void two_barriers() {
  if (threadIdx.x % 2 == 0) {
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST_F(Errors, DivergentBarriers) {
  expect("divergent barriers", [&] { EYRIE_LAUNCH(two_barriers, 1, 64, 0, card.stream); });
}

__global__ void lane_ends() {
  if (threadIdx.x == 3) return;
  __shfl_xor_sync(kAll, 1, 1);
}

TEST_F(Errors, ShuffleWithALaneThatHasEnded) {
  expect("lanes 0x00000008 have ended or never were", [&] { EYRIE_LAUNCH(lane_ends, 1, 32, 0, card.stream); });
}

__global__ void lane_waits_elsewhere(int* out) {
  if (threadIdx.x == 3) {
    __syncthreads();
  } else {
    out[threadIdx.x] = __shfl_xor_sync(kAll, 1, 1);
    __syncthreads();
  }
}

TEST_F(Errors, ShuffleWithALaneThatWaitsElsewhere) {
  DeviceBuffer out = card.device.alloc(32 * sizeof(int));
  expect("lanes 0xfffffff7 wait in __shfl_xor_sync at errors_test.cu",
         [&] { EYRIE_LAUNCH(lane_waits_elsewhere, 1, 32, 0, card.stream, out.as<int>()); });
}

__global__ void different_collectives() {
  if (threadIdx.x < 16) {
    __shfl_sync(kAll, 1, 0);
  } else {
    __ballot_sync(kAll, 1);
  }
}

TEST_F(Errors, DivergentCollectives) {
  expect("no thread can go on", [&] { EYRIE_LAUNCH(different_collectives, 1, 32, 0, card.stream); });
}

__global__ void mask_without_self() { __syncwarp(1u << ((threadIdx.x + 1) % 32)); }

TEST_F(Errors, MaskWithoutTheCaller) {
  expect("does not name the lane that calls", [&] { EYRIE_LAUNCH(mask_without_self, 1, 32, 0, card.stream); });
}

__global__ void source_outside_mask() {
  if (threadIdx.x < 8) __shfl_sync(0xffu, 1, 8);
}

TEST_F(Errors, SourceOutsideTheMask) {
  expect("reads lane 8, which the mask does not name", [&] { EYRIE_LAUNCH(source_outside_mask, 1, 32, 0, card.stream); });
}

__global__ void full_mask_in_part_of_a_warp() { __shfl_sync(kAll, 1, 0); }

TEST_F(Errors, FullMaskInAWarpThatIsNotFull) {
  expect("lanes 0xffff0000 have ended or never were", [&] { EYRIE_LAUNCH(full_mask_in_part_of_a_warp, 1, 16, 0, card.stream); });
}

__global__ void mma_of_half_a_warp() {
  float d[4] = {};
  uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x < 16) mma_m16n8k16_bf16(d, a, b);
}

TEST_F(Errors, MatrixProductOfHalfAWarp) {
  expect("mma", [&] { EYRIE_LAUNCH(mma_of_half_a_warp, 1, 32, 0, card.stream); });
}

__global__ void misplaced_loads(int what, void* global) {
  char* shared = shared_memory<char>();
  uint32_t r[4];
  if (what == 0) ldmatrix_x4(r, shared + 8);
  if (what == 1) ldmatrix_x4(r, global);
  if (what == 2) ldmatrix_x4(r, shared + 16 * threadIdx.x);
  if (what == 3) cp_async_16(global, global, true);
  if (what == 4) cp_async_16(shared, static_cast<char*>(global) + 4, true);
  if (what == 5) cp_async_16(shared + 250, global, true);
}

TEST_F(Errors, MatrixLoadsAndCopiesOutsideSharedMemoryOrMisaligned) {
  DeviceBuffer global = card.device.alloc(1024);
  const char* const texts[] = {"ldmatrix: the address is byte 8 of shared memory, no multiple of 16",
                               "that are not in the block's 256 bytes",
                               "that are not in the block's 256 bytes",
                               "cp.async: 16 bytes that are not in the block's",
                               "the address in global memory is no multiple of 16",
                               "cp.async: 16 bytes that are not in"};
  for (int what = 0; what < 6; ++what) {
    expect(texts[what], [&] { EYRIE_LAUNCH(misplaced_loads, 1, 32, 256, card.stream, what, global.data()); });
  }
}

__global__ void takes_shared_memory(int* out) { *out = *shared_memory<int>(); }

TEST_F(Errors, SharedMemoryThatWasNotAskedFor) {
  DeviceBuffer out = card.device.alloc(sizeof(int));
  expect("launched with no shared memory", [&] { EYRIE_LAUNCH(takes_shared_memory, 1, 1, 0, card.stream, out.as<int>()); });
}

__global__ void nothing() {}

TEST_F(Errors, ShapesThatACardRefuses) {
  for (const dim3 grid : {dim3(0), dim3(1, 65536), dim3(1, 1, 65536)}) {
    expect_error(ErrorCode::invalid_request, "grid", [&] { EYRIE_LAUNCH(nothing, grid, 32, 0, card.stream); });
  }
  for (const dim3 block : {dim3(0), dim3(1025), dim3(512, 3), dim3(1, 1, 65)}) {
    expect_error(ErrorCode::invalid_request, "threads", [&] { EYRIE_LAUNCH(nothing, 1, block, 0, card.stream); });
  }
  expect_error(ErrorCode::invalid_request, "allowed are 232448", [&] { EYRIE_LAUNCH(nothing, 1, 32, 232449, card.stream); });
  EYRIE_LAUNCH(nothing, dim3(70000, 1, 1), 1, 232448, card.stream);
}

TEST_F(Errors, MessageNamesKernelBlockThreadAndSeed) {
  emulation::set_seed(77);
  expect_error(ErrorCode::internal_error, "kernel mask_without_self, block (0, 0, 0), thread (",
               [&] { EYRIE_LAUNCH(mask_without_self, 1, 32, 0, card.stream); });
  emulation::set_seed(77);
  expect_error(ErrorCode::internal_error, "seed 77", [&] { EYRIE_LAUNCH(mask_without_self, 1, 32, 0, card.stream); });
}

}  // namespace
}  // namespace eyrie::cuda
