#include "cpu/backend/falcon_model.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cpu/attention/attention.h"
#include "cpu/vector/alibi.h"
#include "cpu/vector/embedding.h"
#include "cpu/vector/layer_norm.h"
#include "error.h"

namespace eyrie {

namespace {

AttentionShape attention_shape(const FalconConfig& config, DType cache_dtype, const std::vector<float>& slopes) {
  return {config.query_heads,
          config.kv_heads,
          config.head_dim,
          cache_dtype,
          static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim))),
          slopes.empty() ? nullptr : slopes.data()};
}

size_t scratch_bytes(const FalconWeights& weights, const Compute& compute, int64_t rows, int64_t head_rows) {
  size_t bytes = weights.head().n() == 0 ? 0 : linear_scratch_bytes(compute, weights.head(), head_rows);
  const LayerWeights& layer = weights.layers.front();
  for (const BiasedLinear* linear : {&layer.qkv, &layer.dense, &layer.up, &layer.down}) {
    bytes = std::max(bytes, linear_scratch_bytes(compute, linear->weight, rows));
  }
  return bytes;
}

/// Moves rows `from[i]` to row i. Ascending and from[i] >= i, so nothing is overwritten before it was read.
void gather_rows(void* rows, size_t row_bytes, std::span<const uint32_t> from) {
  auto* bytes = static_cast<std::byte*>(rows);
  for (size_t i = 0; i < from.size(); ++i) {
    if (from[i] != i) std::memcpy(bytes + i * row_bytes, bytes + from[i] * row_bytes, row_bytes);
  }
}

}  // namespace

FalconModel::FalconModel(const FalconConfig& config, DType dtype, std::unique_ptr<FalconWeights> weights, const Compute& compute,
                         uint32_t slots, uint32_t slot_tokens, uint32_t rows_max, uint32_t head_rows_max)
    : config_(config),
      activation_(activation_dtype(dtype)),
      weights_(std::move(weights)),
      compute_(compute),
      alibi_slopes_(config.alibi ? eyrie::alibi_slopes(config.query_heads) : std::vector<float>()),
      shape_(attention_shape(config, activation_, alibi_slopes_)),
      kv_(shape_, config.layers, slots, slot_tokens),
      // Tables stay float32: one rounding less than the bfloat16 reference.
      rotary_(config.head_dim, slot_tokens, config.rope_theta, false),
      head_rows_max_(head_rows_max),
      positions_(rows_max) {
  const size_t act = dtype_bytes(activation_);
  const size_t rows = rows_max;
  residual_ = HugeBuffer(rows * config.hidden_size * sizeof(float));
  attention_in_ = HugeBuffer(rows * config.hidden_size * act);
  mlp_in_ = HugeBuffer(rows * config.hidden_size * act);
  qkv_ = HugeBuffer(rows * config.qkv_size() * sizeof(float));
  attention_out_ = HugeBuffer(rows * config.query_size() * act);
  ffn_ = HugeBuffer(rows * config.ffn_size * act);
  head_in_ = HugeBuffer(size_t{head_rows_max} * config.hidden_size * act);
  logits_ = HugeBuffer(size_t{head_rows_max} * config.vocab_size * sizeof(float));
  scratch_ = HugeBuffer(scratch_bytes(*weights_, compute_, rows_max, head_rows_max));
  spans_.reserve(rows);
  appended_.reserve(rows);
  attending_.reserve(rows);
  head_row_of_.reserve(rows);
}

void FalconModel::forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  begin_pass(tokens, spans);
  if (config_.begins()) embed(compute_, weights_->embedding, tokens.data(), rows_, residual_.as<float>());
  for (uint32_t index = 0; index < config_.layers; ++index) {
    const LayerWeights& layer = weights_->layers[index];
    const bool two_norms_at_once = config_.parallel_attention && config_.norms_per_layer == 2;
    norm(layer.attention_norm, attention_in_.data(), two_norms_at_once ? &layer.mlp_norm : nullptr, mlp_in_.data());
    attend(index, layer);
    if (!config_.parallel_attention) norm(layer.mlp_norm, mlp_in_.data(), nullptr, nullptr);
    feed_forward(layer);
  }
}

void FalconModel::begin_pass(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  if (tokens.size() > positions_.size()) throw Error(ErrorCode::internal_error, "a pass larger than planned");
  rows_ = static_cast<uint32_t>(tokens.size());
  spans_.assign(spans.begin(), spans.end());
  head_row_of_.clear();
  uint32_t row = 0;
  for (const PassSpan& span : spans) {
    for (uint32_t i = 0; i < span.rows; ++i) {
      positions_[row + i] = static_cast<int32_t>(span.first_position + i);
      if (i + span.head_rows >= span.rows) head_row_of_.push_back(row + i);
    }
    row += span.rows;
  }
}

std::span<float> FalconModel::residual(size_t values) {
  if (values > positions_.size() * config_.hidden_size) throw Error(ErrorCode::internal_error, "residual rows that a pass does not have");
  return {residual_.as<float>(), values};
}

/// x [rows, H] to one or two norms of it, both [rows, H].
void FalconModel::norm(const NormWeights& weights, void* out, const NormWeights* second, void* second_out) {
  LayerNormOutput outputs[2] = {{weights.weight.data(), weights.bias.data(), out}, {}};
  if (second != nullptr) outputs[1] = {second->weight.data(), second->bias.data(), second_out};
  layer_norm(compute_, residual_.as<float>(), rows_, config_.hidden_size, config_.layer_norm_epsilon, outputs, second != nullptr ? 2 : 1,
             activation_);
}

void FalconModel::multiply(const PackedLinear& weights, const LinearCall& call) {
  linear(compute_, weights, call, scratch_);
  multiply_adds_ += static_cast<uint64_t>(call.m * weights.n() * weights.k());
}

void FalconModel::project(const BiasedLinear& weights, const void* x, void* y, DType y_dtype, bool gelu, bool accumulate) {
  LinearCall call{};
  call.x = x;
  call.m = rows_;
  call.y = y;
  call.y_stride = weights.weight.n();
  call.y_dtype = y_dtype;
  call.bias = weights.bias_or_null();
  call.activation = gelu ? Activation::gelu : Activation::none;
  call.accumulate = accumulate;
  multiply(weights.weight, call);
}

void FalconModel::bind_slots(uint32_t layer, std::vector<KvRows>& sequences, std::span<const PassSpan> spans) const {
  sequences.clear();
  int64_t row = 0;
  for (const PassSpan& span : spans) {
    sequences.push_back({kv_.at(layer, span.slot), row, span.rows, span.first_position});
    row += span.rows;
  }
}

/// residual += dense(attention(norm)). In the last layer only the head rows ask; the others have left their keys and values.
void FalconModel::attend(uint32_t layer, const LayerWeights& weights) {
  project(weights.qkv, attention_in_.data(), qkv_.data(), DType::float32, false, false);
  float* const q = qkv_.as<float>();
  float* const k = q + config_.query_size();
  float* const v = k + config_.kv_size();
  const int64_t stride = config_.qkv_size();
  if (!config_.alibi) {
    // Queries and keys lie side by side: one call rotates both.
    rotary(compute_, rotary_, q, stride, rows_, config_.query_heads + config_.kv_heads, positions_.data());
  }
  bind_slots(layer, appended_, spans_);
  kv_append(compute_, shape_, k, v, stride, appended_.data(), static_cast<int64_t>(appended_.size()));

  const bool last = config_.ends() && layer + 1 == config_.layers && head_row_of_.size() < rows_;
  attending_.clear();
  for (size_t i = 0; i < spans_.size(); ++i) {
    const int64_t skipped = last ? spans_[i].rows - spans_[i].head_rows : 0;
    const KvRows& all = appended_[i];
    if (skipped == all.rows) continue;
    attending_.push_back({all.slot, all.first_row + skipped, all.rows - skipped, all.first_position + skipped});
  }
  attention(compute_, shape_, q, stride, attending_.data(), static_cast<int64_t>(attending_.size()), attention_out_.data(), activation_);
  if (last) keep_head_rows();
  project(weights.dense, attention_out_.data(), residual_.data(), DType::float32, false, true);
}

/// From here on the pass consists of the head rows alone.
void FalconModel::keep_head_rows() {
  const size_t act = dtype_bytes(activation_);
  gather_rows(attention_out_.data(), config_.query_size() * act, head_row_of_);
  gather_rows(residual_.data(), config_.hidden_size * sizeof(float), head_row_of_);
  if (config_.parallel_attention) {
    HugeBuffer& mlp_in = config_.norms_per_layer == 2 ? mlp_in_ : attention_in_;
    gather_rows(mlp_in.data(), config_.hidden_size * act, head_row_of_);
  }
  rows_ = static_cast<uint32_t>(head_row_of_.size());
}

/// residual += down(gelu(up(norm))).
void FalconModel::feed_forward(const LayerWeights& weights) {
  const bool shared_norm = config_.parallel_attention && config_.norms_per_layer == 1;
  project(weights.up, (shared_norm ? attention_in_ : mlp_in_).data(), ffn_.data(), activation_, true, false);
  project(weights.down, ffn_.data(), residual_.data(), DType::float32, false, true);
}

std::span<float> FalconModel::logits(uint32_t first, uint32_t count) {
  if (count > head_rows_max_ || first + count > rows_) throw Error(ErrorCode::internal_error, "logits of rows that are not there");
  const LayerNormOutput out{weights_->final_norm.weight.data(), weights_->final_norm.bias.data(), head_in_.data()};
  layer_norm(compute_, residual_.as<float>() + size_t{first} * config_.hidden_size, count, config_.hidden_size, config_.layer_norm_epsilon,
             &out, 1, activation_);
  LinearCall call{};
  call.x = head_in_.data();
  call.m = count;
  call.y = logits_.data();
  call.y_stride = config_.vocab_size;
  call.y_dtype = DType::float32;
  multiply(weights_->head(), call);
  return {logits_.as<float>(), size_t{count} * config_.vocab_size};
}

}  // namespace eyrie
