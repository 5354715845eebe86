#include "cuda/pass/forward_pass.h"

#include <algorithm>

#include "cuda/kernels/ranks.h"
#include "cuda/kernels/rows.h"

namespace eyrie::cuda {

void ForwardPass::run(Stream& stream, const PassShape& shape) {
  const PassBuffers& buffers = context_.buffers;
  if (context_.config.begins()) {
    embed(stream, context_.inputs.rows(shape), context_.drawn, static_cast<const bf16*>(context_.weights.embedding.values),
          static_cast<int>(context_.config.hidden_size), buffers.residual.as<float>());
  }
  for (int index = 0; index < static_cast<int>(context_.config.layers); ++index) layer(stream, shape, index);
  if (!context_.config.ends()) return add_last_partials(stream, shape);
  if (shape.head_rows == 0) return;
  final_norm(stream, shape);
  head(stream, 0, std::min(shape.head_rows, context_.head_rows_max));
}

void ForwardPass::layer(Stream& stream, const PassShape& shape, int index) {
  const LayerMatrices& weights = context_.weights.layers[static_cast<size_t>(index)];
  PassBuffers& buffers = context_.buffers;
  const PassRows rows = context_.inputs.rows(shape);
  add_and_norm(stream, shape, index);
  multiply(stream, kQkv, weights.qkv, shape.rows, buffers.attention_in.out(), buffers.qkv.data());
  rotate_and_append(stream, rows, context_.attention, context_.cos_sin, buffers.qkv.as<bf16>(), context_.cache, index);
  attend(stream, rows, context_.attention, buffers.qkv.as<bf16>(), context_.cache, index, context_.inputs.attention(shape),
         buffers.attention_scratch.data(), buffers.attention_out.out());
  multiply(stream, kDense, weights.dense, shape.rows, buffers.attention_out.out(), buffers.attention_partial.data());

  const bool own_norm = weights.mlp_norm.gain != nullptr;
  multiply(stream, kUp, weights.up, shape.rows, (own_norm ? buffers.mlp_in : buffers.attention_in).out(), buffers.ffn.data());
  const bool in_place = buffers.ffn_out.format == RowFormat::bf16;
  const RowsOut activated = in_place ? RowsOut{RowFormat::bf16, buffers.ffn.data(), nullptr} : buffers.ffn_out.out();
  gelu_rows(stream, buffers.ffn.as<bf16>(), shape.rows, static_cast<int>(weights.up.n), activated);
  multiply(stream, kDown, weights.down, shape.rows, activated, buffers.mlp_partial.data());
  if (context_.group != nullptr) {
    // One sum a layer: what follows adds the two anyway.
    const int64_t count = int64_t{shape.rows} * context_.config.hidden_size;
    add_partials(stream, buffers.attention_partial.as<bf16>(), buffers.mlp_partial.as<bf16>(), count);
    context_.group->sum(stream, buffers.attention_partial.as<bf16>(), count);
  }
}

/// What the layer before has left; with several ranks, the sum of all of it lies in the first.
void ForwardPass::add_partials_to(AddNorm& call) const {
  call.attention = context_.buffers.attention_partial.as<bf16>();
  call.mlp = context_.group == nullptr ? context_.buffers.mlp_partial.as<bf16>() : nullptr;
}

AddNorm ForwardPass::norm_of(int rows) const {
  AddNorm call;
  call.rows = rows;
  call.hidden = static_cast<int>(context_.config.hidden_size);
  call.epsilon = context_.config.layer_norm_epsilon;
  call.residual = context_.buffers.residual.as<float>();
  return call;
}

/// residual += what the layer before left, then this layer's norms.
void ForwardPass::add_and_norm(Stream& stream, const PassShape& shape, int index) {
  const LayerMatrices& weights = context_.weights.layers[static_cast<size_t>(index)];
  PassBuffers& buffers = context_.buffers;
  AddNorm call = norm_of(shape.rows);
  if (index > 0) {
    add_partials_to(call);
  }
  call.first = weights.attention_norm;
  call.second = weights.mlp_norm;
  call.first_out = buffers.attention_in.out();
  call.second_out = buffers.mlp_in.out();
  add_norm(stream, call);
}

/// y = x W^T as bfloat16 (float32 for the head), whatever the operands are.
void ForwardPass::multiply(Stream& stream, Product product, const Matrix& w, int rows, const RowsOut& x, void* y) {
  const bool integers = w.format == RowFormat::int8;
  void* const result = integers ? context_.buffers.sums.data() : y;
  const bool scaled = w.format == RowFormat::e4m3;
  context_.gemm.run(stream, {product, rows, x.values, scaled ? x.scales : nullptr, w.values, scaled ? w.scales : nullptr, result});
  if (integers) {
    scale_sums(stream, static_cast<const int32_t*>(result), rows, static_cast<int>(w.n), x.scales, w.scales, static_cast<bf16*>(y));
  }
}

void ForwardPass::final_norm(Stream& stream, const PassShape& shape) {
  PassBuffers& buffers = context_.buffers;
  AddNorm call = norm_of(shape.head_rows);
  add_partials_to(call);
  call.row_of = context_.inputs.head_row_of();
  call.keep_residual = false;
  call.first = context_.weights.final_norm;
  call.first_out = {RowFormat::bf16, buffers.head_in.data(), nullptr};
  add_norm(stream, call);
}

/// What the first layer of the next part would do before its norms, by the same kernel. The norms that come of it are of no use.
void ForwardPass::add_last_partials(Stream& stream, const PassShape& shape) {
  PassBuffers& buffers = context_.buffers;
  AddNorm call = norm_of(shape.rows);
  add_partials_to(call);
  call.first = context_.weights.layers.back().attention_norm;
  call.first_out = buffers.attention_in.out();
  add_norm(stream, call);
}

void ForwardPass::head(Stream& stream, int first, int count) {
  PassBuffers& buffers = context_.buffers;
  bf16* const x = buffers.head_in.as<bf16>() + int64_t{first} * context_.config.hidden_size;
  multiply(stream, kHead, context_.weights.head, count, {RowFormat::bf16, x, nullptr}, buffers.logits.data());
}

uint64_t ForwardPass::multiply_adds(uint64_t rows, uint64_t head_rows) const {
  const LayerMatrices& layer = context_.weights.layers.front();
  uint64_t per_row = 0;
  for (const Matrix* matrix : {&layer.qkv, &layer.dense, &layer.up, &layer.down}) {
    per_row += static_cast<uint64_t>(matrix->n) * static_cast<uint64_t>(matrix->k);
  }
  const Matrix& head = context_.weights.head;
  return rows * per_row * context_.config.layers + head_rows * static_cast<uint64_t>(head.n) * static_cast<uint64_t>(head.k);
}

}  // namespace eyrie::cuda
