// What follows the attention itself: the splits of a single row are merged in ascending order, and rows are written in the format that the
// next product reads. An 8-bit row is made of the bfloat16 row, so that it is what quantise_rows() would make of that.

#include "cuda/kernels/attention/block.h"
#include "cuda/kernels/attention/parts.h"
#include "cuda/kernels/attention/quantise.h"
#include "cuda/kernels/launch.h"

namespace eyrie::cuda::attention {

namespace {

constexpr int kThreads = 256;           // bfloat16: many blocks of threads for a row
constexpr int kQuantiseThreads = 1024;  // 8 bits: one
constexpr int kAhead = 4;               // splits that are read before the first of them is merged

/// Four dims of a row from its partial results. `values`, `softmax`: those of the head's first split.
__device__ __forceinline__ uint2 merge_splits(const float* values, const float* softmax, int head_dim, int splits) {
  Softmax state{};
  float o[4] = {};
  for (int first = 0; first < splits; first += kAhead) {
    float4 four[kAhead];
    float2 pair[kAhead];
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (first + i >= splits) continue;
      four[i] = *reinterpret_cast<const float4*>(values + (first + i) * head_dim);
      pair[i] = *reinterpret_cast<const float2*>(softmax + (first + i) * 2);
    }
#pragma unroll
    for (int i = 0; i < kAhead; ++i) {
      if (first + i >= splits) continue;
      const float added[4] = {four[i].x, four[i].y, four[i].z, four[i].w};
      if (first + i == 0) {
        state = {pair[i].x, pair[i].y};
#pragma unroll
        for (int j = 0; j < 4; ++j) o[j] = added[j];
      } else {
        const MergeFactors factors = merge(state, {pair[i].x, pair[i].y});
#pragma unroll
        for (int j = 0; j < 4; ++j) o[j] = merged(o[j], added[j], factors);
      }
    }
  }
  return {pack(mean(o[0], state.sum), mean(o[1], state.sum)), pack(mean(o[2], state.sum), mean(o[3], state.sum))};
}

/// Dims 4 * `four` to + 3 of the row.
__device__ __forceinline__ uint2 merged_four(const Call& call, const AttentionPlan& plan, int single, int position, int four) {
  const int head_dim = call.shape.head_dim, head = four * 4 / head_dim, dim = four * 4 % head_dim;
  const int splits = position / kPageTokens + 1;
  if (splits > plan.splits_max) return {0x7fc07fc0u, 0x7fc07fc0u};  // the plan was made for shorter rows: NaN rather than a part of the row
  const int64_t at = (static_cast<int64_t>(single) * call.shape.query_heads + head) * plan.splits_max;
  return merge_splits(call.values + at * head_dim + dim, call.softmax + at * 2, head_dim, splits);
}

__global__ void __launch_bounds__(kThreads) finish_bf16(Call call, AttentionPlan plan, bf16* out) {
  const int row = plan.singles[blockIdx.x];
  if (row < 0) return;
  const int position = call.pass.positions[row];
  const int fours = call.shape.query_heads * call.shape.head_dim / 4;
  const int four = static_cast<int>(blockIdx.y * kThreads + threadIdx.x);
  if (position < 0 || four >= fours) return;
  reinterpret_cast<uint2*>(out)[static_cast<int64_t>(row) * fours + four] =
      merged_four(call, plan, static_cast<int>(blockIdx.x), position, four);
}

/// The row, in shared memory as bfloat16, with its scale. All threads of the block take part, after a barrier.
template <RowFormat kFormat>
__device__ __forceinline__ void write_quantised(const uint2* row, uint32_t* largest_of_warp, int fours, uint32_t* out, float* scale_out) {
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  uint32_t largest = 0;
  for (int i = static_cast<int>(threadIdx.x); i < fours; i += kQuantiseThreads) largest = largest_magnitude(row[i], largest);
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) largest = ::max(largest, __shfl_xor_sync(0xffffffffu, largest, distance));
  if (lane == 0) largest_of_warp[warp] = largest;
  __syncthreads();
  largest = 0;
  for (int i = 0; i < kQuantiseThreads / 32; ++i) largest = ::max(largest, largest_of_warp[i]);
  const float scale = row_scale(__uint_as_float(largest), kFormat == RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8);
  const float inverse = reciprocal(scale);
  if (threadIdx.x == 0) *scale_out = scale;
  for (int i = static_cast<int>(threadIdx.x); i < fours; i += kQuantiseThreads) out[i] = quantise_four<kFormat>(row[i], inverse);
}

constexpr size_t quantise_shared_bytes(const Call& call) {
  return sizeof(bf16) * static_cast<size_t>(call.shape.query_heads) * static_cast<size_t>(call.shape.head_dim) +
         sizeof(uint32_t) * (kQuantiseThreads / 32);
}

template <RowFormat kFormat>
__global__ void __launch_bounds__(kQuantiseThreads) finish_quantised(Call call, AttentionPlan plan, uint32_t* out, float* scales) {
  const int row = plan.singles[blockIdx.x];
  if (row < 0) return;
  const int position = call.pass.positions[row];
  if (position < 0) return;
  const int fours = call.shape.query_heads * call.shape.head_dim / 4;
  auto* values = shared_memory<uint2>();
  for (int i = static_cast<int>(threadIdx.x); i < fours; i += kQuantiseThreads)
    values[i] = merged_four(call, plan, static_cast<int>(blockIdx.x), position, i);
  __syncthreads();
  write_quantised<kFormat>(values, reinterpret_cast<uint32_t*>(values + fours), fours, out + static_cast<int64_t>(row) * fours,
                           scales + row);
}

template <RowFormat kFormat>
__global__ void __launch_bounds__(kQuantiseThreads) quantise_tile(Call call, const RowChunk* chunks, uint32_t* out, float* scales) {
  const RowChunk chunk = chunks[blockIdx.x];
  if (static_cast<int>(blockIdx.y) >= chunk.rows) return;
  const int64_t row = chunk.first_row + static_cast<int>(blockIdx.y);
  const int fours = call.shape.query_heads * call.shape.head_dim / 4;
  const int64_t width = static_cast<int64_t>(call.shape.query_heads + 2 * call.shape.kv_heads) * call.shape.head_dim;
  auto* values = shared_memory<uint2>();
  const auto* from = reinterpret_cast<const uint2*>(call.qkv + row * width);
  for (int i = static_cast<int>(threadIdx.x); i < fours; i += kQuantiseThreads) values[i] = from[i];
  __syncthreads();
  write_quantised<kFormat>(values, reinterpret_cast<uint32_t*>(values + fours), fours, out + row * fours, scales + row);
}

template <RowFormat kFormat>
void start_finish(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out) {
  EYRIE_LAUNCH(finish_quantised<kFormat>, static_cast<unsigned>(plan.single_rows), kQuantiseThreads, quantise_shared_bytes(call), stream,
               call, plan, static_cast<uint32_t*>(out.values), out.scales);
}

template <RowFormat kFormat>
void start_quantise(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out) {
  EYRIE_LAUNCH(quantise_tile<kFormat>, dim3(static_cast<unsigned>(plan.tiles), kTileRows), kQuantiseThreads, quantise_shared_bytes(call),
               stream, call, plan.tile_rows, static_cast<uint32_t*>(out.values), out.scales);
}

}  // namespace

void finish_single_rows(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out) {
  switch (out.format) {
    case RowFormat::bf16: {
      const int fours = call.shape.query_heads * call.shape.head_dim / 4;
      const dim3 grid(static_cast<unsigned>(plan.single_rows), static_cast<unsigned>((fours + kThreads - 1) / kThreads));
      EYRIE_LAUNCH(finish_bf16, grid, kThreads, 0, stream, call, plan, static_cast<bf16*>(out.values));
      break;
    }
    case RowFormat::e4m3: start_finish<RowFormat::e4m3>(stream, call, plan, out); break;
    case RowFormat::int8: start_finish<RowFormat::int8>(stream, call, plan, out); break;
  }
}

void quantise_tile_rows(Stream& stream, const Call& call, const AttentionPlan& plan, const RowsOut& out) {
  switch (out.format) {
    case RowFormat::bf16: break;
    case RowFormat::e4m3: start_quantise<RowFormat::e4m3>(stream, call, plan, out); break;
    case RowFormat::int8: start_quantise<RowFormat::int8>(stream, call, plan, out); break;
  }
}

}  // namespace eyrie::cuda::attention
