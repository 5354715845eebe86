#pragma once
// The forward pass. One pass takes a flat batch of token rows from many sequences, prompt chunks and decode steps alike, and each
// weight matrix is read once for all of them. A row's result depends on its own sequence alone (see cpu/linear/linear.h and
// cpu/attention/attention.h), so neighbours, cuts and thread counts never show.

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "cpu/backend/falcon_weights.h"
#include "cpu/backend/kv_slots.h"
#include "cpu/compute.h"
#include "cpu/huge_buffer.h"
#include "cpu/kv/kv_cache.h"
#include "cpu/vector/rotary.h"
#include "engine/backend.h"
#include "model/falcon_config.h"

namespace eyrie {

class FalconModel {
 public:
  /// Allocates caches and scratch for passes of up to `rows_max` rows, `head_rows_max` of which get logits at a time.
  FalconModel(const FalconConfig& config, DType dtype, std::unique_ptr<FalconWeights> weights, const Compute& compute, uint32_t slots,
              uint32_t slot_tokens, uint32_t rows_max, uint32_t head_rows_max);

  /// Runs all layers over `tokens`, the rows of `spans` one after the other, and extends the slots' caches by them. Afterwards
  /// the head rows wait, in the same order, for logits().
  void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans);

  /// Of the pass, [rows, H]: in place of the embedding before forward(), and what it has become after it (Backend::put_residual()).
  std::span<float> residual(size_t values);

  /// Logits [count, vocab_size] float32 of head rows [first, first + count), count <= head_rows_max; valid until the next call.
  /// The caller may overwrite them.
  std::span<float> logits(uint32_t first, uint32_t count);

  void copy_prefix(uint32_t from_slot, uint32_t to_slot, uint32_t tokens) { kv_.copy_prefix(compute_, from_slot, to_slot, tokens); }

  const FalconConfig& config() const { return config_; }
  /// Of matrix products, since the model was made; what the last layer leaves out is not counted.
  uint64_t multiply_adds() const { return multiply_adds_; }
  uint64_t weight_bytes() const { return weights_->bytes(); }
  uint64_t kv_cache_bytes() const { return kv_.bytes(); }

 private:
  void begin_pass(std::span<const int32_t> tokens, std::span<const PassSpan> spans);
  void attend(uint32_t layer, const LayerWeights& weights);
  void feed_forward(const LayerWeights& weights);
  void norm(const NormWeights& weights, void* out, const NormWeights* second, void* second_out);
  void multiply(const PackedLinear& weights, const LinearCall& call);
  void project(const BiasedLinear& weights, const void* x, void* y, DType y_dtype, bool gelu, bool accumulate);
  void bind_slots(uint32_t layer, std::vector<KvRows>& sequences, std::span<const PassSpan> spans) const;
  void keep_head_rows();

  FalconConfig config_;
  DType activation_;
  std::unique_ptr<FalconWeights> weights_;
  Compute compute_;
  std::vector<float> alibi_slopes_;  // [query heads], empty with rotary positions
  AttentionShape shape_;
  KvSlots kv_;
  RotaryTable rotary_;
  uint32_t head_rows_max_;
  uint64_t multiply_adds_ = 0;

  // State of the pass. R = rows_max; rows_ of them are in use, and only the head rows after the last attention.
  uint32_t rows_ = 0;
  std::vector<PassSpan> spans_;
  std::vector<KvRows> appended_;
  std::vector<KvRows> attending_;
  std::vector<int32_t> positions_;     // [R]
  std::vector<uint32_t> head_row_of_;  // [head rows] to row of the pass
  HugeBuffer residual_;                // [R, H] float32
  HugeBuffer attention_in_;            // [R, H] activation type; first norm
  HugeBuffer mlp_in_;                  // [R, H] activation type; second norm
  HugeBuffer qkv_;                     // [R, Q + 2 KV] float32
  HugeBuffer attention_out_;           // [R, Q] activation type
  HugeBuffer ffn_;                     // [R, F] activation type
  HugeBuffer head_in_;                 // [head_rows_max, H] activation type
  HugeBuffer logits_;                  // [head_rows_max, V] float32
  HugeBuffer scratch_;                 // of linear()
};

}  // namespace eyrie
