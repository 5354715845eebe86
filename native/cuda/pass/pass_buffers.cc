#include "cuda/pass/pass_buffers.h"

#include <algorithm>

namespace eyrie::cuda {

namespace {

/// Bytes of each buffer: one place for allocating and for planning.
struct Bytes {
  uint64_t residual, attention_in, mlp_in, qkv, attention_out, attention_partial, ffn, ffn_out, mlp_partial, sums, head_in, logits, scratch;
  uint64_t scales;  // of each row buffer in 8 bits
};

Bytes bytes_of(const std::vector<GemmShape>& shapes, const BufferSizes& sizes) {
  const auto rows = static_cast<uint64_t>(sizes.rows);
  const auto n = [&](Product product) { return static_cast<uint64_t>(shapes[product].n); };
  const auto in = [&](Product product) { return rows * static_cast<uint64_t>(shapes[product].k) * format_bytes(shapes[product].operands); };
  const uint64_t hidden = n(kDense);
  uint64_t widest_sums = 0;
  for (const Product product : {kQkv, kDense, kUp, kDown}) {
    if (shapes[product].result == SumFormat::int32) widest_sums = std::max(widest_sums, n(product));
  }
  Bytes bytes{};
  bytes.residual = rows * hidden * sizeof(float);
  bytes.attention_in = in(kQkv);
  bytes.mlp_in = in(kUp);
  bytes.qkv = rows * n(kQkv) * sizeof(bf16);
  bytes.attention_out = in(kDense);
  bytes.attention_partial = rows * hidden * sizeof(bf16);
  bytes.ffn = rows * n(kUp) * sizeof(bf16);
  bytes.ffn_out = shapes[kDown].operands == RowFormat::bf16 ? 0 : in(kDown);
  bytes.mlp_partial = rows * hidden * sizeof(bf16);
  bytes.sums = rows * widest_sums * sizeof(int32_t);
  // The last piece of head rows is padded by itself.
  bytes.head_in = (rows + static_cast<uint64_t>(sizes.head_rows)) * hidden * sizeof(bf16);
  bytes.logits = static_cast<uint64_t>(sizes.head_rows) * n(kHead) * sizeof(float);
  bytes.scratch = static_cast<uint64_t>(sizes.attention_scratch_bytes);
  bytes.scales = rows * sizeof(float);
  return bytes;
}

RowBuffer row_buffer(const Device& device, RowFormat format, uint64_t bytes, uint64_t scale_bytes) {
  return {format, device.alloc(bytes), device.alloc(format == RowFormat::bf16 ? 0 : scale_bytes)};
}

}  // namespace

uint64_t PassBuffers::bytes_needed(const std::vector<GemmShape>& shapes, const BufferSizes& sizes) {
  const Bytes b = bytes_of(shapes, sizes);
  return b.residual + b.attention_in + b.mlp_in + b.qkv + b.attention_out + b.attention_partial + b.ffn + b.ffn_out + b.mlp_partial +
         b.sums + b.head_in + b.logits + b.scratch + 4 * b.scales;
}

PassBuffers::PassBuffers(const Device& device, const std::vector<GemmShape>& shapes, const BufferSizes& sizes) {
  const Bytes b = bytes_of(shapes, sizes);
  residual = device.alloc(b.residual);
  attention_in = row_buffer(device, shapes[kQkv].operands, b.attention_in, b.scales);
  mlp_in = row_buffer(device, shapes[kUp].operands, b.mlp_in, b.scales);
  qkv = device.alloc(b.qkv);
  attention_out = row_buffer(device, shapes[kDense].operands, b.attention_out, b.scales);
  attention_partial = device.alloc(b.attention_partial);
  ffn = device.alloc(b.ffn);
  ffn_out = row_buffer(device, shapes[kDown].operands, b.ffn_out, b.scales);
  mlp_partial = device.alloc(b.mlp_partial);
  sums = device.alloc(b.sums);
  head_in = device.alloc(b.head_in);
  logits = device.alloc(b.logits);
  attention_scratch = device.alloc(b.scratch);
}

}  // namespace eyrie::cuda
