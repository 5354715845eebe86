// Residual and norms. A row stays in registers from its one read to the last write: up to 8 eights (64 values) a thread would spill, so a
// block has up to 512 threads with 1, 2 or 4 eights each, which covers 16,384 values (Falcon-180B has 14,848).
//
// Memory [computed, not measured]: at 256 rows of 8,192 with two e4m3 outputs a row moves 64 KiB in and 48 KiB out, 28.7 MB in all: 9.6 us
// at 3 TB/s. Two blocks of 512 threads an SM are all resident at once (256 rows on 132 SMs), each thread starts 8 loads of 16 bytes
// before it needs the first: 128 KiB in flight an SM, where 3.35 TB/s x 0.8 us needs 20 KiB. The gains and biases, 128 KiB, come from
// L2 once per block and from L1 for its neighbour.

#include <string>

#include "cuda/kernels/rows.h"
#include "cuda/kernels/rows_device.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreadsMax = 512;
constexpr int kWarpsMax = kThreadsMax / kWarp;
constexpr int kOddEights = 2;   // a thread: widths that are not a multiple of 8 take more registers, and no Falcon has one
constexpr int kReductions = 4;  // of one row: sum, squares, two maxima

template <int kEights, bool kWhole>
__device__ __forceinline__ void normalise(const float (&x)[kEights][kEight], float mean, float inverse, const Norm& norm, int width,
                                          float (&y)[kEights][kEight]) {
#pragma unroll
  for (int e = 0; e < kEights; ++e) {
    const int64_t at = (e * static_cast<int64_t>(blockDim.x) + threadIdx.x) * kEight;
    float gain[kEight], bias[kEight];
    load_eight<kWhole>(norm.gain, at, width, gain);
    load_eight<kWhole>(norm.bias, at, width, bias);
#pragma unroll
    for (int i = 0; i < kEight; ++i) y[e][i] = fmaf((x[e][i] - mean) * inverse, gain[i], bias[i]);
  }
}

template <int kEights, bool kWhole>
__device__ __forceinline__ void write_row(const RowsOut& out, const float (&y)[kEights][kEight], int width, uint32_t* scratch) {
  const int64_t row = static_cast<int64_t>(blockIdx.x) * width;
  float inverse = 1.0f;
  if (out.format != RowFormat::bf16) {
    uint32_t largest = 0;
#pragma unroll
    for (int e = 0; e < kEights; ++e) largest = largest_of(y[e], largest);
    const float scale = row_scale(float_of(block_max(largest, scratch)), largest_code(out.format));
    inverse = reciprocal(scale);
    if (threadIdx.x == 0) out.scales[blockIdx.x] = scale;
  }
#pragma unroll
  for (int e = 0; e < kEights; ++e) {
    const int64_t at = (e * static_cast<int64_t>(blockDim.x) + threadIdx.x) * kEight;
    if (out.format == RowFormat::bf16) {
      store_eight<kWhole>(static_cast<bf16*>(out.values) + row, at, width, narrow(y[e]));
    } else {
      store_eight<kWhole>(static_cast<uint8_t*>(out.values) + row, at, width, to_codes(out.format, y[e], inverse));
    }
  }
}

/// What one row of the residual gets from the layer before: attention first, then mlp, as the reference implementation adds them.
template <bool kWhole>
__device__ __forceinline__ void add_partials(const uint4& attention, const uint4& mlp, bool has_attention, bool has_mlp,
                                             float (&x)[kEight]) {
  float sum[kEight], other[kEight];
  widen(has_attention ? attention : mlp, sum);
  if (has_attention && has_mlp) {
    widen(mlp, other);
#pragma unroll
    for (int i = 0; i < kEight; ++i) sum[i] += other[i];
  }
#pragma unroll
  for (int i = 0; i < kEight; ++i) x[i] += sum[i];
}

template <int kEights, bool kWhole>
__global__ void __launch_bounds__(kThreadsMax) add_norm_kernel(AddNorm call) {
  const int from = call.row_of == nullptr ? static_cast<int>(blockIdx.x) : call.row_of[blockIdx.x];
  if (from < 0) return;
  float* scratch = shared_memory<float>();
  const int width = call.hidden;
  const int64_t row = static_cast<int64_t>(from) * width;
  const bool has_attention = call.attention != nullptr, has_mlp = call.mlp != nullptr;

  float x[kEights][kEight];
  uint4 attention[kEights], mlp[kEights];
#pragma unroll
  for (int e = 0; e < kEights; ++e) {  // all loads before the first use
    const int64_t at = (e * static_cast<int64_t>(blockDim.x) + threadIdx.x) * kEight;
    load_eight<kWhole>(call.residual + row, at, width, x[e]);
    if (has_attention) attention[e] = load_eight<kWhole>(call.attention + row, at, width);
    if (has_mlp) mlp[e] = load_eight<kWhole>(call.mlp + row, at, width);
  }
  float sum = 0.0f;
#pragma unroll
  for (int e = 0; e < kEights; ++e) {
    const int64_t at = (e * static_cast<int64_t>(blockDim.x) + threadIdx.x) * kEight;
    if (has_attention || has_mlp) {
      add_partials<kWhole>(attention[e], mlp[e], has_attention, has_mlp, x[e]);
      if (call.keep_residual) store_eight<kWhole>(call.residual + row, at, width, x[e]);
    }
    sum += sum_of(x[e]);
  }
  const float mean = block_sum(sum, scratch) / static_cast<float>(width);

  float squares = 0.0f;
#pragma unroll
  for (int e = 0; e < kEights; ++e) {
    const int64_t at = (e * static_cast<int64_t>(blockDim.x) + threadIdx.x) * kEight;
    float square[kEight];
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      const float d = at + i < width ? x[e][i] - mean : 0.0f;
      square[i] = d * d;
    }
    squares += sum_of(square);
  }
  const float variance = block_sum(squares, scratch + kWarpsMax) / static_cast<float>(width);
  const float inverse = 1.0f / sqrtf(variance + call.epsilon);

  if (call.second.gain != nullptr) {
    float y[kEights][kEight];
    normalise<kEights, kWhole>(x, mean, inverse, call.second, width, y);
    write_row<kEights, kWhole>(call.second_out, y, width, reinterpret_cast<uint32_t*>(scratch) + 2 * kWarpsMax);
  }
  normalise<kEights, kWhole>(x, mean, inverse, call.first, width, x);
  write_row<kEights, kWhole>(call.first_out, x, width, reinterpret_cast<uint32_t*>(scratch) + 3 * kWarpsMax);
}

template <int kEights>
void start(Stream& stream, const AddNorm& call) {
  auto kernel = add_norm_kernel<kEights, true>;
  if constexpr (kEights <= kOddEights) kernel = in_eights(call.hidden) ? kernel : add_norm_kernel<kEights, false>;
  const int threads = row_threads((call.hidden + kEight - 1) / kEight, kEights);
  EYRIE_LAUNCH(kernel, call.rows, threads, sizeof(float) * kReductions * kWarpsMax, stream, call);
}

}  // namespace

void add_norm(Stream& stream, const AddNorm& call) {
  if (call.rows == 0) return;
  const int eights = (call.hidden + kEight - 1) / kEight;
  if (eights <= kThreadsMax) return start<1>(stream, call);
  if (eights <= 2 * kThreadsMax) return start<2>(stream, call);
  if (eights <= 4 * kThreadsMax && in_eights(call.hidden)) return start<4>(stream, call);
  throw Error(ErrorCode::unsupported_device, "hidden size " + std::to_string(call.hidden) + ": the norms on a card take up to " +
                                                 std::to_string(4 * kThreadsMax * kEight) + " (" +
                                                 std::to_string(kOddEights * kThreadsMax * kEight) +
                                                 " if not a multiple of 8); use --device cpu");
}

}  // namespace eyrie::cuda
