// Bound by memory: a row is read and written once, in accesses of 16 bytes. One block of threads for a row.

#include <string>

#include "cuda/kernels/attention.h"
#include "cuda/kernels/attention/pages.h"
#include "cuda/kernels/launch.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kVector = 8;  // bfloat16 values in 16 bytes

struct RotateCall {
  PassRows pass;
  AttentionShape shape;
  const float* cos_sin;
  bf16* qkv;
  PagedCache cache;
  int layer;
};

/// Pairs (x, y) of two neighbouring values each; the CPU's operations in the CPU's order.
__device__ __forceinline__ void rotate_two(uint32_t& x, uint32_t& y, const float* cos, const float* sin) {
  const float x0 = to_float(low_half(x)), x1 = to_float(high_half(x)), y0 = to_float(low_half(y)), y1 = to_float(high_half(y));
  x = pack(to_bf16(x0 * cos[0] - y0 * sin[0]), to_bf16(x1 * cos[1] - y1 * sin[1]));
  y = pack(to_bf16(y0 * cos[0] + x0 * sin[0]), to_bf16(y1 * cos[1] + x1 * sin[1]));
}

__global__ void __launch_bounds__(kThreads) rotate_row(RotateCall call) {
  const int row = static_cast<int>(blockIdx.x);
  const int position = call.pass.positions[row];
  if (position < 0) return;
  const AttentionShape& shape = call.shape;
  const int head_dim = shape.head_dim, half = head_dim / 2, rotations = half / kVector, vectors = head_dim / kVector;
  const int page = attention::page_number(call.cache, call.pass.slots[row], position / kPageTokens);
  const int64_t place = static_cast<int64_t>(position % kPageTokens) * head_dim;
  bf16* heads = call.qkv + static_cast<int64_t>(row) * (shape.query_heads + 2 * shape.kv_heads) * head_dim;
  const float* cos = call.cos_sin + static_cast<int64_t>(position) * head_dim;

  const int rotated = (shape.query_heads + shape.kv_heads) * rotations;
  for (int i = static_cast<int>(threadIdx.x); i < rotated; i += kThreads) {
    const int head = i / rotations, dim = i % rotations * kVector;
    const bf16* from = heads + head * head_dim + dim;
    uint4 x = *reinterpret_cast<const uint4*>(from), y = *reinterpret_cast<const uint4*>(from + half);
    float c[kVector], s[kVector];
#pragma unroll
    for (int j = 0; j < kVector; j += 4) {
      const float4 four_c = *reinterpret_cast<const float4*>(cos + dim + j),
                   four_s = *reinterpret_cast<const float4*>(cos + half + dim + j);
      c[j] = four_c.x, c[j + 1] = four_c.y, c[j + 2] = four_c.z, c[j + 3] = four_c.w;
      s[j] = four_s.x, s[j + 1] = four_s.y, s[j + 2] = four_s.z, s[j + 3] = four_s.w;
    }
    rotate_two(x.x, y.x, c, s);
    rotate_two(x.y, y.y, c + 2, s + 2);
    rotate_two(x.z, y.z, c + 4, s + 4);
    rotate_two(x.w, y.w, c + 6, s + 6);
    bf16* to = heads + head * head_dim + dim;
    if (head >= shape.query_heads) {
      if (page < 0) continue;
      to = attention::page_keys(call.cache, call.layer, page, head - shape.query_heads) + place + dim;
    }
    *reinterpret_cast<uint4*>(to) = x;
    *reinterpret_cast<uint4*>(to + half) = y;
  }

  if (page < 0) return;
  const bf16* values = heads + (shape.query_heads + shape.kv_heads) * head_dim;
  for (int i = static_cast<int>(threadIdx.x); i < shape.kv_heads * vectors; i += kThreads) {
    const int head = i / vectors, dim = i % vectors * kVector;
    bf16* to = attention::page_keys(call.cache, call.layer, page, head) + static_cast<int64_t>(kPageTokens) * head_dim + place + dim;
    *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(values + head * head_dim + dim);
  }
}

}  // namespace

void rotate_and_append(Stream& stream, const PassRows& pass, const AttentionShape& shape, const float* cos_sin, bf16* qkv,
                       const PagedCache& cache, int layer) {
  if (shape.head_dim < 2 * kVector || shape.head_dim % (2 * kVector) != 0) {
    throw Error(ErrorCode::internal_error, "rotary positions on the card: head_dim is " + std::to_string(shape.head_dim) +
                                               "; it must be a multiple of " + std::to_string(2 * kVector));
  }
  if (pass.rows == 0) return;
  EYRIE_LAUNCH(rotate_row, static_cast<unsigned>(pass.rows), kThreads, 0, stream, RotateCall{pass, shape, cos_sin, qkv, cache, layer});
}

}  // namespace eyrie::cuda
