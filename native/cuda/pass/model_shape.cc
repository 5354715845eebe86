#include "cuda/pass/model_shape.h"

#include <cmath>
#include <string>

#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr const char* kNextStep = "; run it on the CPU (--device cpu)";

[[noreturn]] void refuse(const std::string& message) { throw Error(ErrorCode::unsupported_device, message + kNextStep); }

GemmShape shape_of(int64_t n, int64_t k, RowFormat format, bool slow_accumulation, const char* name) {
  return {n, k, format, format == RowFormat::int8 ? SumFormat::int32 : SumFormat::bf16, slow_accumulation, name, 0};
}

}  // namespace

std::vector<GemmShape> gemm_shapes(const FalconConfig& config, const LayerFormats& formats, const RankShare& share,
                                   uint32_t head_rows_max) {
  const int64_t hidden = config.hidden_size;
  const int64_t queries = config.query_size() / static_cast<uint32_t>(share.ranks);
  const int64_t qkv = config.qkv_size() / static_cast<uint32_t>(share.ranks);
  const int64_t ffn = config.ffn_size / static_cast<uint32_t>(share.ranks);
  std::vector<GemmShape> shapes(kProducts);
  shapes[kQkv] = shape_of(qkv, hidden, formats.qkv, false, "qkv");
  shapes[kDense] = shape_of(hidden, queries, formats.dense, true, "dense");
  shapes[kUp] = shape_of(ffn, hidden, formats.up, false, "up");
  shapes[kDown] = shape_of(hidden, ffn, formats.down, true, "down");
  shapes[kHead] = {config.vocab_size, hidden, RowFormat::bf16, SumFormat::float32, true, "head", head_rows_max};
  return shapes;
}

AttentionShape attention_shape(const FalconConfig& config, const RankShare& share) {
  return {static_cast<int>(config.query_heads) / share.ranks, static_cast<int>(config.kv_heads) / share.ranks,
          static_cast<int>(config.head_dim), static_cast<float>(1.0 / std::sqrt(static_cast<double>(config.head_dim)))};
}

void check_model_form(const FalconConfig& config, const RankShare& share) {
  if (config.alibi) refuse("config: alibi is true; the CUDA kernels have rotary positions alone (alibi false)");
  if (!config.parallel_attention) {
    refuse("config: parallelAttention is false; the CUDA kernels need attention and feed-forward side by side (parallelAttention true)");
  }
  if (config.linear_bias) refuse("config: linearBias is true; the CUDA kernels have linear layers without biases alone (linearBias false)");
  if (config.head_dim != 64 && config.head_dim != 128) {
    refuse("config: headDim is " + std::to_string(config.head_dim) + ", the CUDA kernels have 64 and 128");
  }
  const auto ranks = static_cast<uint32_t>(share.ranks);
  if (config.ffn_size % (16 * ranks) != 0) {
    refuse("config: ffnSize is " + std::to_string(config.ffn_size) + ", on " + std::to_string(ranks) +
           " card(s) it must be a multiple of " + std::to_string(16 * ranks));
  }
  if (config.kv_heads % ranks != 0) {
    throw Error(ErrorCode::unsupported_device, "config: kvHeads is " + std::to_string(config.kv_heads) +
                                                   ", which cannot be divided among " + std::to_string(ranks) +
                                                   " cards; use a number of cards that divides it");
  }
}

bool has_fp8(const DeviceInfo& card) { return card.major == 9; }

void check_card(const DeviceInfo& card, const LayerFormats& formats) {
  const int capability = card.major * 10 + card.minor;
  const std::string seen = card.name + " has compute capability " + std::to_string(card.major) + "." + std::to_string(card.minor);
  if (capability < 80) refuse(seen + ", at least 8.0 is needed (A100 and newer)");
  if (formats.qkv == RowFormat::e4m3 && !has_fp8(card)) {
    throw Error(ErrorCode::unsupported_device,
                "dtype is fp8, but " + seen +
                    ", and cuBLASLt has FP8 with a scale per row for 9.x alone (H100, H200); choose --dtype bfloat16 or int8");
  }
}

const char* format_name(RowFormat format) {
  switch (format) {
    case RowFormat::bf16: return "bfloat16";
    case RowFormat::e4m3: return "fp8";
    case RowFormat::int8: return "int8";
  }
  return "?";
}

}  // namespace eyrie::cuda
