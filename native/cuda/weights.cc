#include "cuda/weights.h"

#include <cmath>
#include <string>

#include "cuda/kernels/weights.h"
#include "cuda/weights_memory.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

// What cuBLASLt and 16-byte accesses ask of every scale vector and norm within its buffer.
constexpr uint64_t kAlignment = 256;

uint64_t aligned(uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }
uint64_t value_bytes(RowFormat format) { return format == RowFormat::bf16 ? 2 : 1; }
uint64_t values_bytes(const MatrixShare& share, RowFormat format) {
  return static_cast<uint64_t>(share.row_count()) * static_cast<uint64_t>(share.columns) * value_bytes(format);
}
uint64_t scales_bytes(const MatrixShare& share, RowFormat format) {
  return format == RowFormat::bf16 ? 0 : aligned(static_cast<uint64_t>(share.row_count()) * sizeof(float));
}
uint64_t vectors_bytes(const FalconConfig& config) {
  const uint64_t norms = uint64_t{config.layers} * config.norms_per_layer + 1;
  return norms * 2 * aligned(config.hidden_size * sizeof(float));
}

void check_share(const FalconConfig& config, RankShare share) {
  if (config.linear_bias) {
    throw Error(ErrorCode::unsupported_device,
                "config: linear_bias is true; linear layers with biases run on the CPU alone, use --device cpu");
  }
  const auto ranks = static_cast<uint32_t>(share.ranks);
  if (config.kv_heads % ranks == 0 && config.ffn_size % ranks == 0) return;
  throw Error(ErrorCode::invalid_request, "kvHeads " + std::to_string(config.kv_heads) + " and ffnSize " + std::to_string(config.ffn_size) +
                                              " cannot be shared by " + std::to_string(share.ranks) +
                                              " cards; use a number that divides both");
}

/// Hands out parts of the buffers.
class Allocator {
 public:
  Allocator(const Device& device, std::vector<DeviceBuffer>& matrices, std::byte* scales, std::byte* vectors)
      : device_(device), matrices_(matrices), scales_(scales), vectors_(vectors) {}

  Matrix matrix(const MatrixShare& share, RowFormat format) {
    matrices_.push_back(device_.alloc(values_bytes(share, format)));
    Matrix matrix{share.row_count(), share.columns, format, matrices_.back().data(), nullptr};
    if (format != RowFormat::bf16) matrix.scales = take(scales_, scales_bytes(share, format));
    return matrix;
  }

  Norm norm(uint32_t hidden) {
    const uint64_t bytes = aligned(hidden * sizeof(float));
    Norm norm;
    norm.gain = take(vectors_, bytes);
    norm.bias = take(vectors_, bytes);
    return norm;
  }

 private:
  static float* take(std::byte*& from, uint64_t bytes) {
    auto* const part = reinterpret_cast<float*>(from);
    from += bytes;
    return part;
  }

  const Device& device_;
  std::vector<DeviceBuffer>& matrices_;
  std::byte* scales_;
  std::byte* vectors_;
};

}  // namespace

LayerShares layer_shares(const FalconConfig& config, RankShare share) {
  check_share(config, share);
  const int64_t hidden = config.hidden_size, rank = share.rank;
  const int64_t queries = config.query_size() / share.ranks, keys = config.kv_size() / share.ranks, ffn = config.ffn_size / share.ranks;
  const int64_t query_rows = config.query_size(), key_rows = config.kv_size(), ffn_rows = config.ffn_size;
  LayerShares shares;
  shares.qkv = {config.qkv_size(),
                hidden,
                {{rank * queries, queries, 0},
                 {query_rows + rank * keys, keys, queries},
                 {query_rows + key_rows + rank * keys, keys, queries + keys}},
                0,
                hidden};
  shares.dense = {hidden, query_rows, {{0, hidden, 0}}, rank * queries, queries};
  shares.up = {ffn_rows, hidden, {{rank * ffn, ffn, 0}}, 0, hidden};
  shares.down = {hidden, ffn_rows, {{0, hidden, 0}}, rank * ffn, ffn};
  return shares;
}

MatrixShare whole_vocabulary(const FalconConfig& config) {
  return {config.vocab_size, config.hidden_size, {{0, config.vocab_size, 0}}, 0, config.hidden_size};
}

uint32_t vocabulary_matrices(const FalconConfig& config) {
  const bool embedding = config.begins() || (config.ends() && config.tied_head);
  const bool own_head = config.ends() && !config.tied_head;
  return (embedding ? 1 : 0) + (own_head ? 1 : 0);
}

uint64_t Weights::bytes_needed(const FalconConfig& config, LayerFormats formats, RankShare share) {
  const LayerShares layer = layer_shares(config, share);
  uint64_t bytes = 0;
  const auto add = [&](const MatrixShare& matrix, RowFormat format) {
    bytes += values_bytes(matrix, format) + scales_bytes(matrix, format);
  };
  add(layer.qkv, formats.qkv);
  add(layer.dense, formats.dense);
  add(layer.up, formats.up);
  add(layer.down, formats.down);
  const uint64_t vocabulary = values_bytes(whole_vocabulary(config), RowFormat::bf16);
  return config.layers * bytes + vectors_bytes(config) + vocabulary * vocabulary_matrices(config);
}

Weights::Weights(const Device& device, const FalconConfig& config, LayerFormats formats, RankShare share)
    : memory_(new Memory{device, config, formats, share, {}, {}, {}}) {
  const LayerShares shares = layer_shares(config, share);
  const uint64_t scale_bytes = scales_bytes(shares.qkv, formats.qkv) + scales_bytes(shares.dense, formats.dense) +
                               scales_bytes(shares.up, formats.up) + scales_bytes(shares.down, formats.down);
  memory_->scales = device.alloc(config.layers * scale_bytes);
  memory_->vectors = device.alloc(vectors_bytes(config));
  Allocator allocator(device, memory_->matrices, memory_->scales.as<std::byte>(), memory_->vectors.as<std::byte>());
  const bool tied_end = config.ends() && config.tied_head;
  if (config.begins() || tied_end) embedding = allocator.matrix(whole_vocabulary(config), RowFormat::bf16);
  if (config.ends()) head = tied_end ? embedding : allocator.matrix(whole_vocabulary(config), RowFormat::bf16);
  for (uint32_t index = 0; index < config.layers; ++index) {
    LayerMatrices layer;
    layer.attention_norm = allocator.norm(config.hidden_size);
    if (config.norms_per_layer == 2) layer.mlp_norm = allocator.norm(config.hidden_size);
    layer.qkv = allocator.matrix(shares.qkv, formats.qkv);
    layer.dense = allocator.matrix(shares.dense, formats.dense);
    layer.up = allocator.matrix(shares.up, formats.up);
    layer.down = allocator.matrix(shares.down, formats.down);
    layers.push_back(layer);
  }
  final_norm = allocator.norm(config.hidden_size);
}

Weights::~Weights() = default;

uint64_t Weights::bytes() const { return bytes_needed(memory_->config, memory_->formats, memory_->share); }

void Weights::fill_random(Stream& stream, uint64_t seed) {
  uint64_t number = static_cast<uint64_t>(memory_->share.rank) << 32;
  const auto fill = [&](const Matrix& matrix, int64_t whole_k) {
    const float deviation = 1.0f / std::sqrt(static_cast<float>(whole_k));
    fill_random_rows(stream, {matrix.format, matrix.values, matrix.scales}, matrix.n, matrix.k, deviation,
                     seed * 0x9e3779b97f4a7c15u + number++);
  };
  const FalconConfig& config = memory_->config;
  if (embedding.values != nullptr) fill(embedding, config.hidden_size);
  if (head.values != nullptr && head.values != embedding.values) fill(head, config.hidden_size);
  for (const LayerMatrices& layer : layers) {
    fill(layer.qkv, config.hidden_size);
    fill(layer.dense, config.query_size());
    fill(layer.up, config.hidden_size);
    fill(layer.down, config.ffn_size);
  }
  std::vector<float> plain(memory_->vectors.size() / sizeof(float));  // gain, bias, gain, ...
  const size_t vector = aligned(config.hidden_size * sizeof(float)) / sizeof(float);
  for (size_t i = 0; i < plain.size(); ++i) plain[i] = i / vector % 2 == 0 ? 1.0f : 0.0f;
  stream.copy_to_device(memory_->vectors.data(), plain.data(), memory_->vectors.size());
  stream.synchronize();
}

}  // namespace eyrie::cuda
