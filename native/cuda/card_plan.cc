#include "cuda/card_plan.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "cuda/gemm.h"
#include "cuda/pass/draws.h"
#include "cuda/pass/kv_pages.h"
#include "cuda/pass/pass_buffers.h"
#include "cuda/pass/pass_inputs.h"
#include "cuda/pass/slot_memory.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr uint32_t kHeadRowsMin = 64;
constexpr uint32_t kHeadRowsMax = 256;

uint64_t weight_bytes(const FalconConfig& config, const std::vector<GemmShape>& shapes) {
  uint64_t layer = 0;
  for (const Product product : {kQkv, kDense, kUp, kDown}) {
    const GemmShape& shape = shapes[product];
    layer += static_cast<uint64_t>(shape.n * shape.k) * format_bytes(shape.operands);
    if (shape.operands != RowFormat::bf16) layer += static_cast<uint64_t>(shape.n) * sizeof(float);
  }
  const uint64_t hidden = config.hidden_size;
  const uint64_t embedding = config.vocab_size * hidden * sizeof(bf16);
  const uint64_t norms = (uint64_t{config.layers} * config.norms_per_layer + 1) * 2 * hidden * sizeof(float);
  return config.layers * layer + vocabulary_matrices(config) * embedding + norms;
}

/// What the ranks of several cards gather before they add it up (ranks/gathered_group.cc).
uint64_t sums_bytes(const FalconConfig& config, const RankShare& share, const CardOptions& options) {
  if (share.ranks == 1) return 0;
  return static_cast<uint64_t>(share.ranks * rounded_rows(options.rows_max)) * config.hidden_size * sizeof(bf16);
}

uint64_t buffer_bytes(const FalconConfig& config, const std::vector<GemmShape>& shapes, const RankShare& share, const CardOptions& options,
                      uint32_t pages_per_slot) {
  const uint32_t head_rows = head_rows_for(options.slots);
  const auto slots = static_cast<int>(options.slots);
  const auto splits = static_cast<int>(pages_per_slot);
  BufferSizes sizes;
  sizes.rows = rounded_rows(options.rows_max);
  sizes.head_rows = rounded_rows(head_rows);
  sizes.attention_scratch_bytes = static_cast<int64_t>(attention_scratch_bytes(attention_shape(config, share), slots, splits));
  return PassBuffers::bytes_needed(shapes, sizes) + PassInputs::bytes_needed({static_cast<int>(options.rows_max), slots, splits}) +
         SlotMemory::bytes_needed({options.slots, options.slot_tokens, config.vocab_size, std::vector<int32_t>(options.stop_ids)}) +
         Draws::bytes_needed({options.rows_max, head_rows, options.slots, config.vocab_size}) +
         uint64_t{options.slot_tokens} * config.head_dim * sizeof(float) + sums_bytes(config, share, options);
}

std::string gibibytes(uint64_t bytes) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.2f GiB", static_cast<double>(bytes) / (1u << 30));
  return text.data();
}

}  // namespace

uint32_t head_rows_for(uint32_t slots) {
  // Whole sixteens, so that every piece of the head rows begins at a multiple of 256 bytes: the alignment that cuBLASLt is asked to rely on.
  return std::clamp(static_cast<uint32_t>(rounded_rows(slots)), kHeadRowsMin, kHeadRowsMax);
}

CardPlan plan_card(const FalconConfig& config, const LayerFormats& formats, const RankShare& share, const CardOptions& options) {
  const std::vector<GemmShape> shapes = gemm_shapes(config, formats, share, head_rows_for(options.slots));
  CardPlan plan;
  plan.pages_per_slot = KvPages::pages_for(options.slot_tokens);
  plan.weights = weight_bytes(config, shapes);
  plan.buffers = buffer_bytes(config, shapes, share, options, plan.pages_per_slot);
  plan.reserve = kReserveBytes + (share.ranks > 1 ? kGroupReserveBytes : 0);
  plan.page_bytes = uint64_t{kPageTokens} * config.layers * 2 * (config.kv_size() / static_cast<uint32_t>(share.ranks)) * sizeof(bf16);
  return plan;
}

uint32_t pages_that_fit(const CardPlan& plan, const CardOptions& options, uint64_t free_bytes, const std::string& card) {
  const uint64_t room = free_bytes > plan.fixed() ? free_bytes - plan.fixed() : 0;
  const uint64_t useful = uint64_t{options.slots} * plan.pages_per_slot;
  const uint64_t pages = std::min(room / plan.page_bytes, useful);
  if (pages >= plan.pages_per_slot) return static_cast<uint32_t>(pages);
  throw Error(ErrorCode::out_of_memory, card + " has " + gibibytes(free_bytes) + " free, but this engine needs " +
                                            gibibytes(plan.fixed() + plan.pages_per_slot * plan.page_bytes) + " (weights " +
                                            gibibytes(plan.weights) + ", buffers " + gibibytes(plan.buffers) + ", workspace and reserve " +
                                            gibibytes(plan.workspace + plan.reserve) + ", keys and values of one sequence of " +
                                            std::to_string(options.slot_tokens) + " tokens " +
                                            gibibytes(plan.pages_per_slot * plan.page_bytes) +
                                            "); use fewer or shorter slots, a smaller prefill budget, --dtype fp8, or more cards");
}

}  // namespace eyrie::cuda
