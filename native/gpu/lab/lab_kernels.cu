#include "gpu/lab/lab_kernels.h"

#include "cuda/kernels/launch.h"
#include "cuda/kernels/numbers.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

constexpr int kThreads = 256;
constexpr int64_t kBlocksMax = 2048;

int blocks_for(int64_t count) {
  const int64_t blocks = (count + kThreads - 1) / kThreads;
  return static_cast<int>(blocks < kBlocksMax ? blocks : kBlocksMax);
}

__device__ int64_t first_index() { return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; }
__device__ int64_t all_threads() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

__global__ void fill_bf16(bf16* out, int64_t count, uint64_t seed) {
  for (int64_t i = first_index(); i < count; i += all_threads()) out[i] = to_bf16(normal_value(static_cast<uint64_t>(i), seed));
}

__global__ void fill_e4m3(e4m3* out, int64_t count, uint64_t seed) {
  for (int64_t i = first_index(); i < count; i += all_threads()) out[i] = to_e4m3(normal_value(static_cast<uint64_t>(i), seed) * 64.0f);
}

__global__ void fill_int8(int8_t* out, int64_t count, uint64_t seed) {
  for (int64_t i = first_index(); i < count; i += all_threads()) {
    out[i] = static_cast<int8_t>(fminf(127.0f, fmaxf(-127.0f, normal_value(static_cast<uint64_t>(i), seed) * 32.0f)));
  }
}

__global__ void fill_float(float* out, int64_t count, uint64_t seed) {
  for (int64_t i = first_index(); i < count; i += all_threads())
    out[i] = 0.01f * (1.0f + 0.5f * uniform_value(static_cast<uint64_t>(i), seed));
}

__global__ void hash_kernel(const uint32_t* words, int64_t count, unsigned long long* out) {
  unsigned long long sum = 0;
  for (int64_t i = first_index(); i < count; i += all_threads()) sum += (words[i] + 1ull) * (mixed(static_cast<uint64_t>(i)) | 1ull);
  atomicAdd(out, sum);
}

__global__ void read_kernel(const uint4* data, int64_t count, uint32_t* sink) {
  uint32_t bits = 0;
  const int64_t step = all_threads();
  int64_t i = first_index();
  // Four loads under way per thread.
  for (; i + 3 * step < count; i += 4 * step) {
    const uint4 a = __ldg(data + i), b = __ldg(data + i + step), c = __ldg(data + i + 2 * step), d = __ldg(data + i + 3 * step);
    bits ^= a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
  }
  for (; i < count; i += step) {
    const uint4 a = __ldg(data + i);
    bits ^= a.x ^ a.y ^ a.z ^ a.w;
  }
  // Never so for all threads at once; the compiler cannot know.
  if (bits == 0x12345678u) *sink = bits;
}

}  // namespace

void fill_values(cuda::Stream& stream, void* out, int64_t count, ValueType type, uint64_t seed) {
  switch (type) {
    case ValueType::bf16: EYRIE_LAUNCH(fill_bf16, blocks_for(count), kThreads, 0, stream, static_cast<bf16*>(out), count, seed); break;
    case ValueType::e4m3: EYRIE_LAUNCH(fill_e4m3, blocks_for(count), kThreads, 0, stream, static_cast<e4m3*>(out), count, seed); break;
    case ValueType::int8: EYRIE_LAUNCH(fill_int8, blocks_for(count), kThreads, 0, stream, static_cast<int8_t*>(out), count, seed); break;
  }
}

void fill_scales(cuda::Stream& stream, float* out, int64_t count, uint64_t seed) {
  EYRIE_LAUNCH(fill_float, blocks_for(count), kThreads, 0, stream, out, count, seed);
}

void hash_words(cuda::Stream& stream, const uint32_t* words, int64_t count, unsigned long long* out) {
  EYRIE_LAUNCH(hash_kernel, blocks_for(count), kThreads, 0, stream, words, count, out);
}

void read_all(cuda::Stream& stream, const void* data, int64_t bytes, int blocks, uint32_t* sink) {
  EYRIE_LAUNCH(read_kernel, blocks, 512, 0, stream, static_cast<const uint4*>(data), bytes / 16, sink);
}

}  // namespace eyrie::gpu
