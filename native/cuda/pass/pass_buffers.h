#pragma once
// Memory of the card that a pass computes in, allocated once. R = rows of the largest pass, padded as the matrix products want them;
// P = head rows that get logits at a time, padded likewise; H, F, Q, KV, V as in model/weight_sink.h, of this rank.

#include <cstdint>
#include <vector>

#include "cuda/device.h"
#include "cuda/gemm.h"
#include "cuda/kernels/pass.h"
#include "cuda/pass/model_shape.h"

namespace eyrie::cuda {

struct BufferSizes {
  int64_t rows = 0;       // R
  int64_t head_rows = 0;  // P
  int64_t attention_scratch_bytes = 0;
};

/// Rows in the form that the next product reads.
struct RowBuffer {
  RowFormat format = RowFormat::bf16;
  DeviceBuffer values;
  DeviceBuffer scales;  // [R] float32; empty for bf16
  RowsOut out() const { return {format, values.data(), scales.as<float>()}; }
};

class PassBuffers {
 public:
  PassBuffers(const Device& device, const std::vector<GemmShape>& shapes, const BufferSizes& sizes);
  static uint64_t bytes_needed(const std::vector<GemmShape>& shapes, const BufferSizes& sizes);

  DeviceBuffer residual;           // [R, H] float32
  RowBuffer attention_in;          // [R, H] first norm
  RowBuffer mlp_in;                // [R, H] second norm, in the form of `up`
  DeviceBuffer qkv;                // [R, Q + 2 KV] bfloat16
  RowBuffer attention_out;         // [R, Q]
  DeviceBuffer attention_partial;  // [R, H] bfloat16: what dense gave
  DeviceBuffer ffn;                // [R, F] bfloat16: what up gave
  RowBuffer ffn_out;               // [R, F] after GELU; empty where that is bfloat16, written over `ffn`
  DeviceBuffer mlp_partial;        // [R, H] bfloat16: what down gave
  DeviceBuffer sums;               // [R, widest n] int32, for products in int8
  DeviceBuffer head_in;            // [R + P, H] bfloat16: final norm of the head rows
  DeviceBuffer logits;             // [P, V] float32
  DeviceBuffer attention_scratch;
};

}  // namespace eyrie::cuda
