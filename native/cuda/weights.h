#pragma once
// All weights of a Falcon decoder in the memory of one card (or one rank's share of them). H = hidden, Q = query_size, KV = kv_size,
// F = ffn, V = vocabulary.

#include <cstdint>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "cuda/kernels/pass.h"
#include "cuda/kernels/rows.h"
#include "model/falcon_config.h"
#include "model/weight_sink.h"

namespace eyrie::cuda {

/// [n, k] row-major; e4m3 and int8 with a scale per row.
struct Matrix {
  int64_t n = 0;
  int64_t k = 0;
  RowFormat format = RowFormat::bf16;
  void* values = nullptr;
  float* scales = nullptr;
};

struct LayerMatrices {
  Norm attention_norm, mlp_norm;  // mlp_norm.gain null: one norm serves both
  Matrix qkv, dense, up, down;
};

/// This rank's share of the heads and of the ffn; rank 0 of 1 has all. A share of QKV has the queries, keys and values of whole groups
/// and a share of up has rows; dense and down have the columns that these give. Embedding, head and norms are whole on every rank.
struct RankShare {
  int rank = 0;
  int ranks = 1;
};

/// Forms of the layers' matrices, the same in all layers; embedding and head are bfloat16. Some may stay bfloat16 where the others have
/// 8 bits.
struct LayerFormats {
  RowFormat qkv, dense, up, down;
  LayerFormats(RowFormat all) : qkv(all), dense(all), up(all), down(all) {}
};

/// Matrices [V, H] of a model, or of a part of one: the embedding where it begins with it or has it for its head, and a head of its own.
uint32_t vocabulary_matrices(const FalconConfig& config);

class Weights {
 public:
  /// Allocates. Throws out_of_memory; unsupported_device for
  /// linear biases; invalid_request where kv heads or ffn cannot be shared by so many ranks.
  Weights(const Device& device, const FalconConfig& config, LayerFormats formats, RankShare share = {});
  ~Weights();

  Matrix embedding, head;  // the same memory where the head is tied; neither in a part of a model from its middle
  std::vector<LayerMatrices> layers;
  Norm final_norm;

  /// Of the buffers above: bytes_needed() of what it was made with.
  uint64_t bytes() const;
  /// Where a checkpoint is loaded to; must not outlive this. Rows are converted and quantised on the card, from a ring of pinned memory.
  /// Needs one block of the ring (kLoadBlockBytes of model/load_falcon.h) on the card while it lives.
  std::unique_ptr<WeightSink> sink(Stream& stream);
  /// Random weights of the given seed, made on the card: for measuring speed without a checkpoint. A matrix has the deviation
  /// 1 / sqrt(k), so that activations keep their size, and norms are plain: a forward pass stays finite.
  void fill_random(Stream& stream, uint64_t seed);

  /// layers * (matrices + norms * 8 H) + 8 H + V * H * 2 * vocabulary_matrices(), a matrix being n * k values of 1 or 2 bytes
  /// and, in 8 bits, n scales of 4 bytes.
  static uint64_t bytes_needed(const FalconConfig& config, LayerFormats formats, RankShare share = {});

 private:
  friend class CardSink;
  struct Memory;
  std::unique_ptr<Memory> memory_;
};

}  // namespace eyrie::cuda
