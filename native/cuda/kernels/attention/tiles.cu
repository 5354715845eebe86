// Consecutive rows of one sequence (prompts and chunks of them): one block of threads for up to kTileRows rows and 16 query heads; a warp
// has one row, all warps share the keys and values that they read, 64 at a time, the next 64 on their way meanwhile. A warp merges blocks
// into splits and splits into the row as single rows do, so that both give the same bytes. What its complete splits gave lies in shared
// memory, where it is touched once in 256 keys: in registers there is no room for it with head_dim 128.
//
// 8 warps run on an SM: more would have 128 registers, and ptxas needs some 20 more than that. Each multiplies by 16 KiB of keys and
// values a block, so shared memory is about as busy as the tensor cores (64 mma a warp and block). Computed, not measured.
//
// Keys of later rows of the tile are masked for earlier ones, and their values are taken as zeros.

#include "cuda/kernels/attention/block.h"
#include "cuda/kernels/attention/pages.h"
#include "cuda/kernels/attention/parts.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda::attention {

namespace {

/// Warps, and rows, of one block of threads: what 99 KiB of shared memory (sm_86, sm_89) allow. With fewer than 8 the same keys are read
/// more often from the L2 cache.
template <int kHeadDim>
constexpr int kWarps = kHeadDim == 64 ? 8 : 4;

constexpr int kStages = 2;

/// bfloat16 values of a stage: keys, then values.
template <int kHeadDim>
constexpr int kStageValues = 2 * kBlockKeys * kHeadDim;

/// Stages, then for each warp its complete splits: values, float4 [kHeadDim / 8][32 lanes], and Softmax [32 lanes][2].
template <int kHeadDim>
constexpr size_t kWholeBytes = sizeof(float) * kTileHeads * kHeadDim + sizeof(Softmax) * 2 * 32;
template <int kHeadDim>
constexpr size_t kStagesBytes = sizeof(bf16) * kStages * kStageValues<kHeadDim>;
template <int kHeadDim>
constexpr size_t kSharedBytes = kStagesBytes<kHeadDim> + kWarps<kHeadDim> * kWholeBytes<kHeadDim>;

/// What a lane has of its row: the splits that are complete, and the one under way.
template <int kHeadDim>
struct RowState {
  float4* whole;  // every 32nd: values, then the maximum and sum of both heads
  Softmax split[2];
  float split_values[kHeadDim / 8][4];
};

/// Takes the block's values into the split, where it is the first one if `first`.
template <int kHeadDim, bool kCut>
__device__ __forceinline__ void take_values(RowState<kHeadDim>& row, const uint32_t (&p)[8][2], const MergeFactors (&factors)[2],
                                            bool first, const bf16* values, int valid, int lane) {
#pragma unroll
  for (int pair = 0; pair < kHeadDim / 16; ++pair) {
    float o[2][4];
    block_values<kHeadDim, kCut>(o, p, values, pair, valid, lane);
#pragma unroll
    for (int i = 0; i < 8; ++i) {
      float& value = row.split_values[2 * pair + i / 4][i % 4];
      value = first ? o[i / 4][i % 4] : merged(value, o[i / 4][i % 4], factors[i % 4 / 2]);
    }
  }
}

/// The split is complete.
template <int kHeadDim>
__device__ __forceinline__ void take_split(const RowState<kHeadDim>& row, bool first) {
  float4& softmax = row.whole[kHeadDim / 8 * 32];
  if (first) {
    softmax = make_float4(row.split[0].max, row.split[0].sum, row.split[1].max, row.split[1].sum);
#pragma unroll
    for (int n = 0; n < kHeadDim / 8; ++n) {
      const float(&added)[4] = row.split_values[n];
      row.whole[n * 32] = make_float4(added[0], added[1], added[2], added[3]);
    }
    return;
  }
  Softmax whole[2] = {{softmax.x, softmax.y}, {softmax.z, softmax.w}};
  const MergeFactors factors[2] = {merge(whole[0], row.split[0]), merge(whole[1], row.split[1])};
  softmax = make_float4(whole[0].max, whole[0].sum, whole[1].max, whole[1].sum);
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; ++n) {
    const float(&added)[4] = row.split_values[n];
    const float4 value = row.whole[n * 32];
    row.whole[n * 32] = make_float4(merged(value.x, added[0], factors[0]), merged(value.y, added[1], factors[0]),
                                    merged(value.z, added[2], factors[1]), merged(value.w, added[3], factors[1]));
  }
}

template <int kHeadDim>
__global__ void __launch_bounds__(32 * kWarps<kHeadDim>, 8 / kWarps<kHeadDim>)
    attend_tile(Call call, const RowChunk* chunks, int head_tiles, bf16* out, int64_t row_stride) {
  constexpr int kThreads = 32 * kWarps<kHeadDim>;
  RowChunk chunk = chunks[blockIdx.y];
  chunk.first_row += static_cast<int>(blockIdx.z) * kWarps<kHeadDim>;
  chunk.rows = ::min(chunk.rows - static_cast<int>(blockIdx.z) * kWarps<kHeadDim>, kWarps<kHeadDim>);
  if (chunk.rows <= 0) return;
  const int kv_head = static_cast<int>(blockIdx.x) / head_tiles;
  const int first_head = static_cast<int>(blockIdx.x) % head_tiles * kTileHeads;
  const int group = call.shape.query_heads / call.shape.kv_heads, heads = ::min(group - first_head, kTileHeads);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;

  const int row = chunk.first_row + ::min(warp, chunk.rows - 1);
  const int slot = call.pass.slots[chunk.first_row];
  const int longest = call.pass.positions[chunk.first_row + chunk.rows - 1] + 1;
  const int length = warp < chunk.rows ? call.pass.positions[row] + 1 : 0;
  const int64_t width = (call.shape.query_heads + 2 * call.shape.kv_heads) * static_cast<int64_t>(kHeadDim);
  const int64_t head_at = (static_cast<int64_t>(kv_head) * group + first_head) * kHeadDim;

  auto* stages = shared_memory<bf16>();
  char* of_warp = shared_memory<char>() + kStagesBytes<kHeadDim> + warp * kWholeBytes<kHeadDim>;
  const auto start_copy = [&](int block, int page) {
    bf16* keys = stages + block % kStages * kStageValues<kHeadDim>;
    const int valid = page < 0 ? 0 : longest - block * kBlockKeys;
    const bf16* from = page_keys(call.cache, call.layer, page, kv_head) + block % kBlocksPerSplit * kBlockKeys * kHeadDim;
    start_block_copy<kHeadDim, kThreads>(keys, from, valid, static_cast<int>(threadIdx.x));
    start_block_copy<kHeadDim, kThreads>(keys + kBlockKeys * kHeadDim, from + kPageTokens * kHeadDim, valid, static_cast<int>(threadIdx.x));
  };

  QueryStep q[kHeadDim / 16];
  load_queries<kHeadDim>(q, call.qkv + row * width + head_at, heads, lane);
  RowState<kHeadDim> state;
  state.whole = reinterpret_cast<float4*>(of_warp) + lane;
  const int blocks = (longest + kBlockKeys - 1) / kBlockKeys;
  int page = page_number(call.cache, slot, 0);
  start_copy(0, page);
  cp_async_commit();
  for (int block = 0; block < blocks; ++block) {
    const bool has_page = page >= 0;
    if (block + 1 < blocks) {
      if ((block + 1) % kBlocksPerSplit == 0) page = page_number(call.cache, slot, (block + 1) / kBlocksPerSplit);
      start_copy(block + 1, page);
    }
    cp_async_commit();
    cp_async_wait<1>();
    __syncthreads();  // what the other threads have copied
    const int valid = ::min(length - block * kBlockKeys, kBlockKeys);
    if (valid > 0) {
      const bf16* keys = stages + block % kStages * kStageValues<kHeadDim>;
      const bf16* values = keys + kBlockKeys * kHeadDim;
      uint32_t p[8][2];
      Softmax added[2];
      {
        float s[8][4];
        block_scores<kHeadDim>(s, q, keys, lane);
        block_probabilities(p, added, s, call.shape.scale, valid, lane);
      }
      if (!has_page) added[0].sum = added[1].sum = __uint_as_float(0x7fc00000u);  // see single_rows.cu
      const bool first = block % kBlocksPerSplit == 0;
      MergeFactors factors[2] = {};
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        if (first) {
          state.split[half] = added[half];
        } else {
          factors[half] = merge(state.split[half], added[half]);
        }
      }
      if (valid < kBlockKeys) {
        take_values<kHeadDim, true>(state, p, factors, first, values, valid, lane);
      } else {
        take_values<kHeadDim, false>(state, p, factors, first, values, valid, lane);
      }
      if ((block + 1) % kBlocksPerSplit == 0 || (block + 1) * kBlockKeys >= length) take_split<kHeadDim>(state, block < kBlocksPerSplit);
    }
    __syncthreads();  // the stage is filled anew
  }
  if (length <= 0) return;
  auto* to = reinterpret_cast<uint32_t*>(out + row * row_stride + head_at + lane / 4 * kHeadDim) + lane % 4;
  const float4 softmax = state.whole[kHeadDim / 8 * 32];
#pragma unroll
  for (int n = 0; n < kHeadDim / 8; ++n) {
    const float4 value = state.whole[n * 32];
    if (lane / 4 < heads) to[n * 4] = pack(mean(value.x, softmax.y), mean(value.y, softmax.y));
    if (lane / 4 + 8 < heads) to[n * 4 + 4 * kHeadDim] = pack(mean(value.z, softmax.w), mean(value.w, softmax.w));
  }
}

template <int kHeadDim>
void start(Stream& stream, const Call& call, const AttentionPlan& plan, bf16* out, int64_t row_stride) {
  const int head_tiles = (call.shape.query_heads / call.shape.kv_heads + kTileHeads - 1) / kTileHeads;
  const dim3 grid(static_cast<unsigned>(call.shape.kv_heads * head_tiles), static_cast<unsigned>(plan.tiles), kTileRows / kWarps<kHeadDim>);
  EYRIE_LAUNCH(attend_tile<kHeadDim>, grid, 32 * kWarps<kHeadDim>, kSharedBytes<kHeadDim>, stream, call, plan.tile_rows, head_tiles, out,
               row_stride);
}

}  // namespace

void attend_tiles(Stream& stream, const Call& call, const AttentionPlan& plan, bf16* out, int64_t row_stride) {
  if (call.shape.head_dim == 64) {
    start<64>(stream, call, plan, out, row_stride);
  } else {
    start<128>(stream, call, plan, out, row_stride);
  }
}

}  // namespace eyrie::cuda::attention
