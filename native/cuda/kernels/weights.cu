// Loading is bound by what reads the files and by the link to the card (tens of GB/s at most), which is a fiftieth of the memory's
// rate: these kernels read a row twice where they need its largest value, and are done in 4 % of the time of the copy before
// [computed: a block of 32 MiB takes 600 us over PCIe 5, 64 MiB of memory traffic 25 us].

#include "cuda/kernels/weights.h"

#include "cuda/kernels/rows_device.h"
#include "error.h"
#include "numbers/float16.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreadsMax = 256;
constexpr int kWarpsMax = kThreadsMax / kWarp;

// --- eight values of a stored row as floats; kWhole as in rows_device.h ---

template <class Value, bool kWhole>
__device__ __forceinline__ void load_values(const Value* row, int64_t at, int64_t end, float (&v)[kEight]) {
  if constexpr (kWhole && sizeof(Value) == 2) {
    const uint4 words = *reinterpret_cast<const uint4*>(row + at);
    const uint32_t word[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      v[2 * i] = to_float(Value{static_cast<uint16_t>(word[i] & 0xffffu)});
      v[2 * i + 1] = to_float(Value{static_cast<uint16_t>(word[i] >> 16)});
    }
  } else if constexpr (kWhole && sizeof(Value) == 1) {
    const uint2 words = *reinterpret_cast<const uint2*>(row + at);
#pragma unroll
    for (int i = 0; i < kEight; ++i) {
      v[i] = to_float(Value{static_cast<uint8_t>((i < 4 ? words.x : words.y) >> (i % 4 * 8))});
    }
  } else {
#pragma unroll
    for (int i = 0; i < kEight; ++i) v[i] = at + i < end ? to_float(row[at + i]) : 0.0f;
  }
}

struct Int8 {
  uint8_t bits;
};
EYRIE_INLINE float to_float(Int8 v) {
  // -128 is no code: as a NaN it is counted with what else cannot be.
  return v.bits == 0x80u ? float_of(0x7fc00000u) : static_cast<float>(static_cast<int8_t>(v.bits));
}

template <bool kWhole>
__device__ __forceinline__ void load_row(const float* row, int64_t at, int64_t end, float (&v)[kEight]) {
  load_eight<kWhole>(row, at, end, v);
}
template <bool kWhole, class Value>
__device__ __forceinline__ void load_row(const Value* row, int64_t at, int64_t end, float (&v)[kEight]) {
  load_values<Value, kWhole>(row, at, end, v);
}

__device__ __forceinline__ bool is_finite(float v) { return (bits_of(v) & 0x7fffffffu) < 0x7f800000u; }

__device__ __forceinline__ unsigned count_nonfinite(const float (&v)[kEight]) {
  unsigned count = 0;
#pragma unroll
  for (const float x : v) count += is_finite(x) ? 0u : 1u;
  return count;
}

/// Nearly always nothing to add.
__device__ __forceinline__ void report(unsigned count, uint32_t* nonfinite) {
  if (count > 0) atomicAdd(nonfinite, count);
}

/// bf16 out.
template <class Value, bool kWhole>
__global__ void __launch_bounds__(kThreadsMax) narrow_kernel(SourceRows source, bf16* out, uint32_t* nonfinite) {
  const Value* row = static_cast<const Value*>(source.values) + static_cast<int64_t>(blockIdx.x) * source.k + source.first_column;
  bf16* to = out + static_cast<int64_t>(blockIdx.x) * source.columns;
  const float scale = source.scales == nullptr ? 1.0f : source.scales[blockIdx.x];
  unsigned bad = 0;
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < source.columns; at += static_cast<int64_t>(blockDim.x) * kEight) {
    float v[kEight];
    load_row<kWhole>(row, at, source.columns, v);
    bad += count_nonfinite(v);
#pragma unroll
    for (float& x : v) x *= scale;
    store_eight<kWhole>(to, at, source.columns, narrow(v));
  }
  report(bad, nonfinite);
}

/// The CPU's rule of int8 weights: a row of zeros has scale 0.
__device__ __forceinline__ float weight_scale(RowFormat format, float largest) {
  return format == RowFormat::e4m3 ? row_scale(largest, kLargestE4m3) : largest / kLargestInt8;
}

template <class Value, bool kWhole>
__global__ void __launch_bounds__(kThreadsMax) quantise_weights_kernel(SourceRows source, RowsOut out, uint32_t* nonfinite) {
  uint32_t* scratch = shared_memory<uint32_t>();
  const Value* row = static_cast<const Value*>(source.values) + static_cast<int64_t>(blockIdx.x) * source.k;
  const int64_t step = static_cast<int64_t>(blockDim.x) * kEight;
  uint32_t largest = 0;
  unsigned bad = 0;
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < source.k; at += step) {
    float v[kEight];
    load_row<kWhole>(row, at, source.k, v);
    bad += count_nonfinite(v);
#pragma unroll
    for (float& x : v) x = is_finite(x) ? x : 0.0f;
    largest = largest_of(v, largest);
  }
  report(bad, nonfinite);
  const float scale = weight_scale(out.format, float_of(block_max(largest, scratch)));
  const float inverse = scale > 0.0f ? reciprocal(scale) : 0.0f;
  if (threadIdx.x == 0) out.scales[blockIdx.x] = scale;
  uint8_t* to = static_cast<uint8_t*>(out.values) + static_cast<int64_t>(blockIdx.x) * source.columns;
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < source.columns; at += step) {
    float v[kEight];
    load_row<kWhole>(row + source.first_column, at, source.columns, v);
    store_eight<kWhole>(to, at, source.columns, to_codes(out.format, v, inverse));
  }
}

/// Codes as they are stored; Value tells which of them are no number.
template <class Value, bool kWhole>
__global__ void __launch_bounds__(kThreadsMax) copy_codes_kernel(SourceRows source, uint8_t* out, uint32_t* nonfinite) {
  const Value* row = static_cast<const Value*>(source.values) + static_cast<int64_t>(blockIdx.x) * source.k + source.first_column;
  uint8_t* to = out + static_cast<int64_t>(blockIdx.x) * source.columns;
  unsigned bad = 0;
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < source.columns; at += static_cast<int64_t>(blockDim.x) * kEight) {
    float v[kEight];
    load_row<kWhole>(row, at, source.columns, v);
    bad += count_nonfinite(v);
    uint32_t word[2] = {0, 0};
    if constexpr (kWhole) {
      const uint2 words = *reinterpret_cast<const uint2*>(row + at);
      word[0] = words.x, word[1] = words.y;
    } else {
      for (int i = 0; i < kEight && at + i < source.columns; ++i) word[i / 4] |= static_cast<uint32_t>(row[at + i].bits) << (i % 4 * 8);
    }
    store_eight<kWhole>(to, at, source.columns, make_uint2(word[0], word[1]));
  }
  report(bad, nonfinite);
}

// --- random weights ---

/// A generator in which each value stands by itself (splitmix64 of its number).
__device__ __forceinline__ uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

__device__ __forceinline__ float random_value(uint64_t seed, uint64_t index, float factor) {
  const uint64_t bits = mix(mix(seed) ^ index);
  const int sum = static_cast<int>((bits & 0xffffu) + (bits >> 16 & 0xffffu) + (bits >> 32 & 0xffffu) + (bits >> 48));
  return static_cast<float>(sum - 2 * 65535) * factor;
}

__global__ void __launch_bounds__(kThreadsMax) random_kernel(RowsOut out, int64_t k, float factor, uint64_t seed) {
  uint32_t* scratch = shared_memory<uint32_t>();
  const int64_t row = static_cast<int64_t>(blockIdx.x) * k;
  float inverse = 1.0f;
  if (out.format != RowFormat::bf16) {
    uint32_t largest = 0;
    for (int64_t at = threadIdx.x; at < k; at += blockDim.x) {
      largest = max(largest, bits_of(random_value(seed, static_cast<uint64_t>(row + at), factor)) & 0x7fffffffu);
    }
    const float scale = row_scale(float_of(block_max(largest, scratch)), largest_code(out.format));
    inverse = reciprocal(scale);
    if (threadIdx.x == 0) out.scales[blockIdx.x] = scale;
  }
  for (int64_t at = static_cast<int64_t>(threadIdx.x) * kEight; at < k; at += static_cast<int64_t>(blockDim.x) * kEight) {
    float v[kEight];
#pragma unroll
    for (int i = 0; i < kEight; ++i) v[i] = random_value(seed, static_cast<uint64_t>(row + at + i), factor);
    if (out.format == RowFormat::bf16) {
      store_eight<false>(static_cast<bf16*>(out.values) + row, at, k, narrow(v));
    } else {
      store_eight<false>(static_cast<uint8_t*>(out.values) + row, at, k, to_codes(out.format, v, inverse));
    }
  }
}

// --- launches ---

int threads_for(int64_t values) {
  const int64_t eights = (values + kEight - 1) / kEight;
  return row_threads(eights < kThreadsMax ? eights : kThreadsMax, 1);
}

template <class Value, bool kWhole>
void put(Stream& stream, const SourceRows& source, const RowsOut& out, bool stored, uint32_t* nonfinite) {
  const unsigned rows = static_cast<unsigned>(source.rows);
  if (out.format == RowFormat::bf16) {
    EYRIE_LAUNCH((narrow_kernel<Value, kWhole>), rows, threads_for(source.columns), 0, stream, source, static_cast<bf16*>(out.values),
                 nonfinite);
  } else if constexpr (sizeof(Value) > 1) {
    EYRIE_LAUNCH((quantise_weights_kernel<Value, kWhole>), rows, threads_for(source.k), sizeof(uint32_t) * kWarpsMax, stream, source, out,
                 nonfinite);
  } else if (stored) {
    EYRIE_LAUNCH((copy_codes_kernel<Value, kWhole>), rows, threads_for(source.columns), 0, stream, source,
                 static_cast<uint8_t*>(out.values), nonfinite);
  } else {
    throw Error(ErrorCode::internal_error, std::string("weights stored as ") + dtype_name(source.type) + " in a matrix of other codes");
  }
}

template <class Value>
void put(Stream& stream, const SourceRows& source, const RowsOut& out, bool stored, uint32_t* nonfinite) {
  if (in_eights(source.k) && in_eights(source.first_column) && in_eights(source.columns)) {
    put<Value, true>(stream, source, out, stored, nonfinite);
  } else {
    put<Value, false>(stream, source, out, stored, nonfinite);
  }
}

}  // namespace

void put_rows(Stream& stream, const SourceRows& source, const RowsOut& out, uint32_t* nonfinite) {
  if (source.rows == 0) return;
  switch (source.type) {
    case TensorDtype::bf16: return put<bf16>(stream, source, out, false, nonfinite);
    case TensorDtype::f16: return put<fp16>(stream, source, out, false, nonfinite);
    case TensorDtype::f32: return put<float>(stream, source, out, false, nonfinite);
    case TensorDtype::i8: return put<Int8>(stream, source, out, out.format == RowFormat::int8, nonfinite);
    case TensorDtype::f8_e4m3: return put<e4m3>(stream, source, out, out.format == RowFormat::e4m3, nonfinite);
    default: throw Error(ErrorCode::internal_error, std::string("weights of type ") + dtype_name(source.type));
  }
}

void fill_random_rows(Stream& stream, const RowsOut& out, int64_t rows, int64_t k, float deviation, uint64_t seed) {
  if (rows == 0) return;
  constexpr float kDeviationOfSum = 37837.0f;  // 65,536 * sqrt(4 / 12)
  EYRIE_LAUNCH(random_kernel, static_cast<unsigned>(rows), threads_for(k), sizeof(uint32_t) * kWarpsMax, stream, out, k,
               deviation / kDeviationOfSum, seed);
}

}  // namespace eyrie::cuda
