// Rows that attend alone (decode, mostly): one block of threads for a row, a KV head and a split of 256 keys; each of its four warps
// takes one of the split's blocks of 64 keys. The partial results are merged by finish_rows.cu.
//
// What limits this kernel is the read of keys and values, so that bytes under way count: a block of threads starts all its copies before
// it computes. For head_dim 64 these are 64 KiB of keys and values; 146 registers and 64.5 KiB of shared memory let 3 blocks of threads run
// on an SM of an H100: up to 192 KiB under way, where 3.35 TB/s over 132 SMs with 1 us of latency need 25 KiB. To keep 0.85 of that rate
// (21.6 KB a microsecond and SM) each of the 3 may take 9 us from its start to its end; its arithmetic takes the SM about 1,500 cycles
// for one tile of heads (256 mma, 64 KiB by ldmatrix, 4,096 exponentials of 16 instructions on 128 lanes). With more tiles of heads (7B:
// five, 180B: two) results have memory of their own, 80.5 KiB in all: 2 blocks of threads.
//
// For head_dim 128 values take the place of the keys, copied once the scores are there, which again makes 64.5 KiB; 222 registers allow 2
// blocks of threads, which may take 12 us each for their 128 KiB.
//
// On an A100 (164 KiB) 2 blocks of threads fit. All of this is computed, not measured.

#include "cuda/kernels/attention/block.h"
#include "cuda/kernels/attention/pages.h"
#include "cuda/kernels/attention/parts.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda::attention {

namespace {

constexpr int kThreads = 32 * kBlocksPerSplit;

/// Shared memory of one block of threads. One tile of heads: its results take the place of the keys. More tiles need the keys again.
template <int kHeadDim, bool kManyTiles>
struct Shared {
  static constexpr bool kValuesReplaceKeys = kHeadDim > 64;
  static constexpr int kBlockValues = kBlockKeys * kHeadDim;                                // of keys, or values, of a warp
  static constexpr int kWarpValues = kValuesReplaceKeys ? kBlockValues : 2 * kBlockValues;  // bfloat16
  static constexpr int kResultValues = kTileHeads * kHeadDim;                               // float32, of a warp
  static constexpr bool kResultsReplaceKeys = !kManyTiles || kValuesReplaceKeys;
  static constexpr size_t kCopiesBytes = size_t{2} * kBlocksPerSplit * kWarpValues;
  static constexpr size_t kResultsBytes = kResultsReplaceKeys ? 0 : size_t{4} * kBlocksPerSplit * kResultValues;
  static constexpr size_t kBytes = kCopiesBytes + kResultsBytes + sizeof(Softmax) * kBlocksPerSplit * kTileHeads;
};

template <int kHeadDim, bool kManyTiles>
__global__ void __launch_bounds__(kThreads, kHeadDim == 64 ? 3 : 2) attend_split(Call call, AttentionPlan plan) {
  using Layout = Shared<kHeadDim, kManyTiles>;
  const int kv_head = static_cast<int>(blockIdx.x), split = static_cast<int>(blockIdx.y), single = static_cast<int>(blockIdx.z);
  const int row = plan.singles[single];
  if (row < 0) return;
  const int position = call.pass.positions[row];
  const int keys_of_split = ::min(position + 1 - split * kPageTokens, kPageTokens);
  if (position < 0 || keys_of_split <= 0) return;

  auto* shared = shared_memory<char>();
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  auto* keys = reinterpret_cast<bf16*>(shared) + warp * Layout::kWarpValues;
  auto* values = Layout::kValuesReplaceKeys ? keys : keys + Layout::kBlockValues;
  auto* results =
      Layout::kResultsReplaceKeys ? reinterpret_cast<float4*>(shared) : reinterpret_cast<float4*>(shared + Layout::kCopiesBytes);
  constexpr int kResultStride = Layout::kResultsReplaceKeys ? Layout::kWarpValues / 8 : Layout::kResultValues / 4;  // float4, warp to warp
  auto* states = reinterpret_cast<Softmax*>(shared + Layout::kCopiesBytes + Layout::kResultsBytes);                 // [blocks][heads]

  const int page = page_number(call.cache, call.pass.slots[row], split);
  const int blocks = (keys_of_split + kBlockKeys - 1) / kBlockKeys;
  const int valid = ::min(keys_of_split - warp * kBlockKeys, kBlockKeys);  // of this warp's block; may be <= 0
  const int copied = page < 0 ? 0 : valid;
  const bf16* from_keys = page_keys(call.cache, call.layer, page, kv_head) + warp * Layout::kBlockValues;
  const bf16* from_values = from_keys + kPageTokens * kHeadDim;

  const int group = call.shape.query_heads / call.shape.kv_heads;
  const int64_t width = (call.shape.query_heads + 2 * call.shape.kv_heads) * static_cast<int64_t>(kHeadDim);
  const bf16* queries = call.qkv + row * width + static_cast<int64_t>(kv_head) * group * kHeadDim;

  for (int first_head = 0; first_head < group; first_head += kTileHeads) {
    const int heads = ::min(group - first_head, kTileHeads);
    if (first_head > 0) __syncthreads();  // everybody has read the results of the tile before
    if (valid > 0) {
      if (first_head == 0 || Layout::kValuesReplaceKeys) {
        start_block_copy<kHeadDim, 32>(keys, from_keys, copied, lane);
        cp_async_commit();
        if (!Layout::kValuesReplaceKeys) start_block_copy<kHeadDim, 32>(values, from_values, copied, lane);
        cp_async_commit();
      }
      QueryStep q[kHeadDim / 16];
      load_queries<kHeadDim>(q, queries + first_head * kHeadDim, heads, lane);
      float s[8][4];
      cp_async_wait<1>();
      __syncwarp();
      block_scores<kHeadDim>(s, q, keys, lane);
      if (Layout::kValuesReplaceKeys) {
        __syncwarp();
        start_block_copy<kHeadDim, 32>(values, from_values, copied, lane);
        cp_async_commit();
      }
      uint32_t p[8][2];
      Softmax state[2];
      block_probabilities(p, state, s, call.shape.scale, valid, lane);
      // Without its page a row has no result: NaN is found by who samples, zeros would not be.
      if (page < 0) state[0].sum = state[1].sum = __uint_as_float(0x7fc00000u);
      if (lane % 4 == 0) {
        states[warp * kTileHeads + lane / 4] = state[0];
        states[warp * kTileHeads + lane / 4 + 8] = state[1];
      }
      cp_async_wait<0>();
      __syncwarp();
      float o[kHeadDim / 8][4];
#pragma unroll
      for (int pair = 0; pair < kHeadDim / 16; ++pair) {
        float two[2][4];
        block_values<kHeadDim, false>(two, p, values, pair, valid, lane);
#pragma unroll
        for (int i = 0; i < 8; ++i) o[2 * pair + i / 4][i % 4] = two[i / 4][i % 4];
      }
      __syncwarp();  // the results may take the place of what the other lanes read
#pragma unroll
      for (int n = 0; n < kHeadDim / 8; ++n)
        results[warp * kResultStride + n * 32 + lane] = make_float4(o[n][0], o[n][1], o[n][2], o[n][3]);
    }
    __syncthreads();  // the results of all blocks are there

    // Each warp merges a quarter of the dims of all blocks.
    constexpr int kQuarter = kHeadDim / 8 / kBlocksPerSplit;
    Softmax state[2] = {states[lane / 4], states[lane / 4 + 8]};
    float4 o[kQuarter];
#pragma unroll
    for (int n = 0; n < kQuarter; ++n) o[n] = results[(warp * kQuarter + n) * 32 + lane];
    for (int block = 1; block < blocks; ++block) {
      const MergeFactors first = merge(state[0], states[block * kTileHeads + lane / 4]);
      const MergeFactors second = merge(state[1], states[block * kTileHeads + lane / 4 + 8]);
#pragma unroll
      for (int n = 0; n < kQuarter; ++n) {
        const float4 added = results[block * kResultStride + (warp * kQuarter + n) * 32 + lane];
        o[n].x = merged(o[n].x, added.x, first);
        o[n].y = merged(o[n].y, added.y, first);
        o[n].z = merged(o[n].z, added.z, second);
        o[n].w = merged(o[n].w, added.w, second);
      }
    }
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int head = lane / 4 + 8 * half;
      if (head >= heads) continue;
      const int64_t at =
          (static_cast<int64_t>(single) * call.shape.query_heads + kv_head * group + first_head + head) * plan.splits_max + split;
      if (warp == 0 && lane % 4 == 0) *reinterpret_cast<float2*>(call.softmax + 2 * at) = make_float2(state[half].max, state[half].sum);
#pragma unroll
      for (int n = 0; n < kQuarter; ++n) {
        const float2 two = half == 0 ? make_float2(o[n].x, o[n].y) : make_float2(o[n].z, o[n].w);
        *reinterpret_cast<float2*>(call.values + at * kHeadDim + (warp * kQuarter + n) * 8 + lane % 4 * 2) = two;
      }
    }
  }
}

template <int kHeadDim, bool kManyTiles>
void start(Stream& stream, const Call& call, const AttentionPlan& plan) {
  const dim3 grid(static_cast<unsigned>(call.shape.kv_heads), static_cast<unsigned>(plan.splits_max),
                  static_cast<unsigned>(plan.single_rows));
  EYRIE_LAUNCH((attend_split<kHeadDim, kManyTiles>), grid, kThreads, (Shared<kHeadDim, kManyTiles>::kBytes), stream, call, plan);
}

}  // namespace

void attend_single_rows(Stream& stream, const Call& call, const AttentionPlan& plan) {
  const bool many_tiles = call.shape.query_heads / call.shape.kv_heads > kTileHeads;
  if (call.shape.head_dim == 64) {
    many_tiles ? start<64, true>(stream, call, plan) : start<64, false>(stream, call, plan);
  } else {
    many_tiles ? start<128, true>(stream, call, plan) : start<128, false>(stream, call, plan);
  }
}

}  // namespace eyrie::cuda::attention
