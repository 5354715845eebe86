// What was never written reads as NaN, and AddressSanitizer knows where buffers end.

#include <gtest/gtest.h>

#include <cmath>

#include "card.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda {
namespace {

__global__ void copy_shared(float* out, bool writes) {
  float* shared = shared_memory<float>();
  if (writes) shared[threadIdx.x] = 1;
  out[blockIdx.x * blockDim.x + threadIdx.x] = shared[threadIdx.x];
}

TEST(SharedMemory, IsPoisonedForEachBlock) {
  test::Card card;
  DeviceBuffer out = card.device.alloc(4 * 32 * sizeof(float));
  EYRIE_LAUNCH(copy_shared, 4, 32, 128, card.stream, out.as<float>(), true);
  for (const float v : card.get<float>(out)) EXPECT_EQ(v, 1);
  EYRIE_LAUNCH(copy_shared, 4, 32, 128, card.stream, out.as<float>(), false);
  for (const float v : card.get<float>(out)) EXPECT_TRUE(std::isnan(v));
}

TEST(DeviceMemory, IsPoisonedAndAligned) {
  test::Card card;
  const DeviceBuffer buffer = card.device.alloc(1000);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer.data()) % 256, 0u);
  for (const uint8_t v : card.get<uint8_t>(buffer)) EXPECT_EQ(v, 0xff);
}

#if defined(__SANITIZE_ADDRESS__)

__global__ void touch(float* address, int index) { address[index] += 1; }
__global__ void touch_shared(int index) { shared_memory<float>()[index] = 1; }
__global__ void touch_stack(int index, float* out) {
  volatile float values[4] = {};
  values[index] = 1;
  if (threadIdx.x % 2 == 0) __syncthreads();
  *out = values[0];
}

TEST(Sanitizer, SeesAnOverrunOfDeviceMemory) {
  test::Card card;
  const DeviceBuffer buffer = card.device.alloc(10 * sizeof(float));
  EYRIE_LAUNCH(touch, 1, 1, 0, card.stream, buffer.as<float>(), 9);
  EXPECT_DEATH(EYRIE_LAUNCH(touch, 1, 1, 0, card.stream, buffer.as<float>(), 10), "heap-buffer-overflow");
  EXPECT_DEATH(EYRIE_LAUNCH(touch, 1, 1, 0, card.stream, buffer.as<float>(), -1), "heap-buffer-overflow");
}

TEST(Sanitizer, SeesAnOverrunOfSharedMemory) {
  test::Card card;
  EYRIE_LAUNCH(touch_shared, 1, 1, 100, card.stream, 24);
  EXPECT_DEATH(EYRIE_LAUNCH(touch_shared, 1, 1, 100, card.stream, 25), "heap-buffer-overflow");
}

TEST(Sanitizer, SeesAnOverrunOfAVariableOfAThread) {
  test::Card card;
  const DeviceBuffer out = card.device.alloc(sizeof(float));
  EXPECT_DEATH(EYRIE_LAUNCH(touch_stack, 1, 64, 0, card.stream, 4, out.as<float>()), "out of bounds|stack-buffer-overflow");
}

TEST(Sanitizer, SeesHostCodeThatReadsDeviceMemory) {
  test::Card card;
  const DeviceBuffer buffer = card.put(std::vector<float>(10));
  EXPECT_DEATH(
      {
        volatile float v = buffer.as<float>()[3];
        (void)v;
      },
      "use-after-poison");
}

TEST(Sanitizer, SeesUseOfMemoryThatWasGivenBack) {
  test::Card card;
  DeviceBuffer buffer = card.device.alloc(64);
  float* address = buffer.as<float>();
  buffer = DeviceBuffer();
  { DeviceBuffer gone = std::move(buffer); }
  EXPECT_DEATH(EYRIE_LAUNCH(touch, 1, 1, 0, card.stream, address, 0), "heap-use-after-free");
}

#endif

}  // namespace
}  // namespace eyrie::cuda
