// GELU, quantising, and what follows an INT8 product.
//
// An 8-bit row needs its largest value before the first code can be written: a block has one row and keeps it in shared memory as bf16
// (64 KiB of 32,768 values, so that three blocks fit an SM of an H100, and 256 rows are two blocks an SM), which saves the second read
// and, with GELU, the second evaluation. GELU is not bound by memory [computed]: about 50 instructions a value are 14 us for 256 rows of
// 32,768 on an H100, its 25 MB are 8 us at 3 TB/s. Quantising alone (256 rows of 8,192: 6.3 MB) is 2 us of memory.

#include <string>

#include "cuda/kernels/rows.h"
#include "cuda/kernels/rows_device.h"
#include "error.h"
#include "numbers/gelu.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreadsMax = 512;
constexpr int kWarpsMax = kThreadsMax / kWarp;
constexpr int kElementwiseThreads = 256;
constexpr size_t kSharedBytesMax = 227u << 10;  // what an H100 grants a block

template <bool kGelu>
__device__ __forceinline__ uint4 apply(uint4 words) {
  if constexpr (!kGelu) return words;
  float v[kEight];
  widen(words, v);
  for (float& x : v) x = gelu_one(x);
  return narrow(v);
}

__device__ __forceinline__ uint32_t largest_of_words(uint4 words, uint32_t so_far) {
  float v[kEight];
  widen(words, v);
  return largest_of(v, so_far);
}

template <bool kGelu, bool kWhole>
__global__ void __launch_bounds__(kThreadsMax) quantise_kernel(const bf16* x, int width, RowsOut out) {
  uint32_t* scratch = shared_memory<uint32_t>();                // [kWarpsMax]
  uint4* kept = reinterpret_cast<uint4*>(scratch + kWarpsMax);  // [eights of the row]; a thread reads only what it wrote
  const int64_t row = static_cast<int64_t>(blockIdx.x) * width;
  const int eights = (width + kEight - 1) / kEight, step = static_cast<int>(blockDim.x);
  uint32_t largest = 0;
  for (int e = static_cast<int>(threadIdx.x); e < eights; e += 2 * step) {
    // Two loads before the first use.
    const bool two = e + step < eights;
    uint4 first = load_eight<kWhole>(x + row, int64_t{e} * kEight, width);
    uint4 second = two ? load_eight<kWhole>(x + row, int64_t{e + step} * kEight, width) : make_uint4(0, 0, 0, 0);
    first = apply<kGelu>(first);
    kept[e] = first;
    largest = largest_of_words(first, largest);
    if (two) {
      second = apply<kGelu>(second);
      kept[e + step] = second;
      largest = largest_of_words(second, largest);
    }
  }
  const float scale = row_scale(float_of(block_max(largest, scratch)), largest_code(out.format));
  const float inverse = reciprocal(scale);
  if (threadIdx.x == 0) out.scales[blockIdx.x] = scale;
  for (int e = static_cast<int>(threadIdx.x); e < eights; e += step) {
    float v[kEight];
    widen(kept[e], v);
    store_eight<kWhole>(static_cast<uint8_t*>(out.values) + row, int64_t{e} * kEight, width, to_codes(out.format, v, inverse));
  }
}

/// x and y may be the same: an eight is read and written by one thread.
__global__ void __launch_bounds__(kElementwiseThreads) gelu_kernel(const bf16* x, int64_t values, bf16* y) {
  const int64_t at = (static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x) * kEight;
  if (at + kEight <= values) {
    store_eight<true>(y, at, values, apply<true>(load_eight<true>(x, at, values)));
  } else {
    store_eight<false>(y, at, values, apply<true>(load_eight<false>(x, at, values)));
  }
}

template <bool kGelu>
void quantise(Stream& stream, const bf16* x, int rows, int width, const RowsOut& out) {
  const int eights = (width + kEight - 1) / kEight;
  const size_t shared_bytes = sizeof(uint32_t) * kWarpsMax + sizeof(uint4) * static_cast<size_t>(eights);
  if (shared_bytes > kSharedBytesMax) {
    throw Error(
        ErrorCode::unsupported_device,
        "rows of " + std::to_string(width) + " values are wider than the shared memory of a card for 8-bit weights; use dtype bfloat16");
  }
  const auto kernel = in_eights(width) ? quantise_kernel<kGelu, true> : quantise_kernel<kGelu, false>;
  EYRIE_LAUNCH(kernel, rows, row_threads(eights < kThreadsMax ? eights : kThreadsMax, 1), shared_bytes, stream, x, width, out);
}

/// A thread takes four columns, blockIdx.y is the row.
template <bool kWhole>
__global__ void __launch_bounds__(kElementwiseThreads)
    scale_sums_kernel(const int32_t* sums, int n, const float* x_scales, const float* w_scales, bf16* y) {
  const int64_t row = static_cast<int64_t>(blockIdx.y) * n;
  const int at = static_cast<int>((blockIdx.x * blockDim.x + threadIdx.x) * 4);
  const float x_scale = x_scales[blockIdx.y];
  if constexpr (kWhole) {
    if (at >= n) return;
    const int4 sum = *reinterpret_cast<const int4*>(sums + row + at);
    const float4 w = *reinterpret_cast<const float4*>(w_scales + at);
    const float a = static_cast<float>(sum.x) * x_scale * w.x, b = static_cast<float>(sum.y) * x_scale * w.y,
                c = static_cast<float>(sum.z) * x_scale * w.z, d = static_cast<float>(sum.w) * x_scale * w.w;
    *reinterpret_cast<uint2*>(y + row + at) = make_uint2(pack_bf16(a, b), pack_bf16(c, d));
  } else {
    for (int i = at; i < at + 4 && i < n; ++i) {
      y[row + i] = low_half(pack_bf16(static_cast<float>(sums[row + i]) * x_scale * w_scales[i], 0.0f));
    }
  }
}

}  // namespace

void gelu_rows(Stream& stream, const bf16* x, int rows, int width, const RowsOut& out) {
  if (rows == 0) return;
  if (out.format != RowFormat::bf16) return quantise<true>(stream, x, rows, width, out);
  const int64_t values = static_cast<int64_t>(rows) * width, per_block = int64_t{kElementwiseThreads} * kEight;
  EYRIE_LAUNCH(gelu_kernel, static_cast<unsigned>((values + per_block - 1) / per_block), kElementwiseThreads, 0, stream, x, values,
               static_cast<bf16*>(out.values));
}

void quantise_rows(Stream& stream, const bf16* x, int rows, int width, const RowsOut& out) {
  if (rows == 0) return;
  if (out.format != RowFormat::bf16) return quantise<false>(stream, x, rows, width, out);
  if (out.values != x) stream.copy_on_device(out.values, x, sizeof(bf16) * static_cast<size_t>(rows) * static_cast<size_t>(width));
}

void scale_sums(Stream& stream, const int32_t* sums, int rows, int n, const float* x_scales, const float* w_scales, bf16* y) {
  if (rows == 0) return;
  const unsigned blocks = static_cast<unsigned>((n + 4 * kElementwiseThreads - 1) / (4 * kElementwiseThreads));
  const auto kernel = n % 4 == 0 ? scale_sums_kernel<true> : scale_sums_kernel<false>;
  EYRIE_LAUNCH(kernel, dim3(blocks, static_cast<unsigned>(rows)), kElementwiseThreads, 0, stream, sums, n, x_scales, w_scales, y);
}

}  // namespace eyrie::cuda
