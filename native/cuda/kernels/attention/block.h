#pragma once
// The unit of attention, by one warp: 16 query heads of one token over a block of 64 keys. Both kernels (single_rows.cu, tiles.cu) call
// these functions and no others for their arithmetic, and finish_rows.cu merges with the same; that is why a row has the same bytes in
// each of them.
//
//   scores         q . k by mma, 16 dims after the other; * scale; -inf for keys past the row's end
//   probabilities  e^(score - the block's maximum), rounded to bfloat16
//   sum            of the rounded probabilities: of a lane's 16 keys in ascending order, then lanes t, t^1, then pairs t^2 (block_probabilities)
//   values         probabilities . v by mma, 16 keys after the other
//
// The sum is that of the rounded probabilities, so that the result is a true mean of the values: weights that sum to one. The CPU sums
// before it rounds; the difference is below the error of the rounding.
//
// Registers hold fragments as ptx.h describes them: with g = lane / 4 and t = lane % 4, a lane has heads g and g + 8 of the 16, in
// "row 0" and "row 1" of the arrays below, and columns 2t and 2t + 1 of each group of eight keys or dims.

#include <cstdint>

#include "cuda/kernels/numbers.h"
#include "cuda/kernels/pass.h"
#include "cuda/kernels/ptx.h"
#include "numbers/exp.h"

namespace eyrie::cuda::attention {

inline constexpr int kBlockKeys = 64;
inline constexpr int kBlocksPerSplit = kPageTokens / kBlockKeys;
inline constexpr int kTileHeads = 16;
inline constexpr float kMinusInfinity = -__builtin_huge_valf();

/// What a query head knows of the keys that it has met.
struct Softmax {
  float max;
  float sum;
};

/// Where eight dims (`chunk`) of a key lie in a block in shared memory: rows of kHeadDim values, whose chunks of 16 bytes are permuted so
/// that eight rows of one chunk lie in different banks.
template <int kHeadDim>
__device__ __forceinline__ int swizzled(int key, int chunk) {
  return key * kHeadDim + ((chunk ^ (key & 7)) << 3);
}

/// Copies `keys` rows of kHeadDim values, of which the first `valid` exist; the others become zeros and are not read. Threads
/// `thread` of `kThreads` take part.
template <int kHeadDim, int kThreads>
__device__ __forceinline__ void start_block_copy(bf16* shared, const bf16* global, int valid, int thread) {
  constexpr int kChunks = kHeadDim / 8;
  // Not more at once: the addresses and sizes of all copies would fill the registers.
#pragma unroll 4
  for (int i = 0; i < kBlockKeys * kChunks / kThreads; ++i) {
    const int at = i * kThreads + thread, key = at / kChunks, chunk = at % kChunks;
    cp_async_16(shared + swizzled<kHeadDim>(key, chunk), global + key * kHeadDim + chunk * 8, key < valid);
  }
}

/// 16 dims of the 16 heads, as the left operand.
struct alignas(16) QueryStep {
  uint32_t a[4];
};

/// `heads`: the first of `count` heads; the rest of the 16 are zeros.
template <int kHeadDim>
__device__ __forceinline__ void load_queries(QueryStep (&q)[kHeadDim / 16], const bf16* heads, int count, int lane) {
  const int g = lane / 4;
  const auto* pairs = reinterpret_cast<const uint32_t*>(heads + g * kHeadDim) + lane % 4;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; ++step) {
#pragma unroll
    for (int i = 0; i < 4; ++i) q[step].a[i] = g + i % 2 * 8 < count ? pairs[i % 2 * 4 * kHeadDim + step * 8 + i / 2 * 4] : 0u;
  }
}

/// s[n]: the products of the queries with keys 8n to 8n + 7.
template <int kHeadDim>
__device__ __forceinline__ void block_scores(float (&s)[8][4], const QueryStep (&q)[kHeadDim / 16], const bf16* keys, int lane) {
#pragma unroll
  for (int n = 0; n < 8; ++n) s[n][0] = s[n][1] = s[n][2] = s[n][3] = 0.0f;
#pragma unroll
  for (int step = 0; step < kHeadDim / 16; step += 2) {
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      uint32_t k[4];  // 8 keys, 32 dims
      ldmatrix_x4(k, keys + swizzled<kHeadDim>(8 * n + lane % 8, 2 * step + lane / 8));
      const uint32_t first[2] = {k[0], k[1]}, second[2] = {k[2], k[3]};
      mma_m16n8k16_bf16(s[n], q[step].a, first);
      mma_m16n8k16_bf16(s[n], q[step + 1].a, second);
    }
  }
}

/// Scores become probabilities, packed in pairs: p[n][row] is of keys 8n + 2t and 8n + 2t + 1. `valid`: keys of the block that the token
/// may see, at least 1.
__device__ __forceinline__ void block_probabilities(uint32_t (&p)[8][2], Softmax (&state)[2], float (&s)[8][4], float scale, int valid,
                                                    int lane) {
  const int column = lane % 4 * 2;
  float largest[2] = {kMinusInfinity, kMinusInfinity};
#pragma unroll
  for (int n = 0; n < 8; ++n) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      s[n][i] = 8 * n + column + i % 2 < valid ? s[n][i] * scale : kMinusInfinity;
      largest[i / 2] = fmaxf(largest[i / 2], s[n][i]);
    }
  }
#pragma unroll
  for (int row = 0; row < 2; ++row) {
    largest[row] = fmaxf(largest[row], __shfl_xor_sync(0xffffffffu, largest[row], 1));
    largest[row] = fmaxf(largest[row], __shfl_xor_sync(0xffffffffu, largest[row], 2));
    // Not fmaxf below: a score that is NaN makes its probability, and so the sum, NaN.
    float sum = 0.0f;
#pragma unroll
    for (int n = 0; n < 8; ++n) {
      const bf16 first = to_bf16(exp_one(s[n][2 * row] - largest[row]));
      const bf16 second = to_bf16(exp_one(s[n][2 * row + 1] - largest[row]));
      p[n][row] = pack(first, second);
      sum = sum + to_float(first);
      sum = sum + to_float(second);
    }
    sum = sum + __shfl_xor_sync(0xffffffffu, sum, 1);
    sum = sum + __shfl_xor_sync(0xffffffffu, sum, 2);
    state[row] = {largest[row], sum};
  }
}

/// o[n]: probabilities . values for dims 16 * pair + 8n on. kCut: values of keys from `valid` on are taken as zeros, whatever they are
/// (0 * NaN would be NaN); without, the block holds zeros there.
template <int kHeadDim, bool kCut>
__device__ __forceinline__ void block_values(float (&o)[2][4], const uint32_t (&p)[8][2], const bf16* values, int pair, int valid,
                                             int lane) {
#pragma unroll
  for (int n = 0; n < 2; ++n) o[n][0] = o[n][1] = o[n][2] = o[n][3] = 0.0f;
#pragma unroll
  for (int step = 0; step < kBlockKeys / 16; ++step) {
    uint32_t v[4];  // keys 16 step to + 7 and + 8 to + 15 of the first eight dims, then of the second
    ldmatrix_x4_trans(v, values + swizzled<kHeadDim>(16 * step + lane % 16, 2 * pair + lane / 16));
    if (kCut) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int key = 16 * step + 8 * half + lane % 4 * 2;
        const uint32_t kept = key + 1 < valid ? 0xffffffffu : key < valid ? 0xffffu : 0u;
        v[half] &= kept;
        v[2 + half] &= kept;
      }
    }
    const uint32_t a[4] = {p[2 * step][0], p[2 * step][1], p[2 * step + 1][0], p[2 * step + 1][1]};
    const uint32_t first[2] = {v[0], v[1]}, second[2] = {v[2], v[3]};
    mma_m16n8k16_bf16(o[0], a, first);
    mma_m16n8k16_bf16(o[1], a, second);
  }
}

/// By what two results shrink when they are brought to a common maximum.
struct MergeFactors {
  float kept;
  float added;
};

/// `state` takes in the keys of `added`, which come after its own.
__device__ __forceinline__ MergeFactors merge(Softmax& state, const Softmax& added) {
  const float max = fmaxf(state.max, added.max);
  const MergeFactors factors{exp_one(state.max - max), exp_one(added.max - max)};
  state.sum = fmaf(added.sum, factors.added, state.sum * factors.kept);
  state.max = max;
  return factors;
}

__device__ __forceinline__ float merged(float value, float added, const MergeFactors& factors) {
  return fmaf(added, factors.added, value * factors.kept);
}

/// The result: what was summed, as a mean.
__device__ __forceinline__ bf16 mean(float value, float sum) { return to_bf16(value / sum); }

}  // namespace eyrie::cuda::attention
