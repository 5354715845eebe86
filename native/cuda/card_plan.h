#pragma once
// What a model takes of a card's memory, and how many pages of keys and values the rest holds. src/domain/gpu/plan-gpu.ts counts the same
// by the same formulas, for the command line and to choose the slots; test/cuda/card_plans.csv holds the two together.
//
// All in bytes, for one of `ranks` cards (ranks = 1: one card has all). L layers, H hidden, Q = query heads x head_dim, KV = kv heads x
// head_dim, F ffn, V vocabulary; w = bytes of a weight (2 bfloat16, 1 fp8 and int8), a = bytes of an activation (the same).
//   q, kv, f     = Q / ranks, KV / ranks, F / ranks
//   weights      = L [ w (H (q + 2 kv) + H q + 2 H f)  +  (w = 1: 4 (q + 2 kv + H + f + H)) ]  +  2 V H (twice when the head is not tied)
//                  + 4 (2 H) (L norms per layer + 1)
//   page         = 256 tokens x L x 2 x 2 kv
//   R            = rows of the largest pass, P = head rows at a time (slots, at least 64, at most 256), both rounded up to 16
//   row buffers  = R [ 4 H residual + 2 a H norms + 2 (q + 2 kv) + a q + 3 x 2 H + 2 f  +  (fp8, int8: f)  +  4 x 4 scales
//                      + (int8: 4 max(q + 2 kv, H, f)) ]  +  P (2 H + 4 V)
//   ranks > 1    = ranks x 2 H R of results that are gathered and added up
//   attention    = what attention_scratch_bytes() says for all slots at full length
//   slots        = slots (2 V counts + 8 x 1,024 biases + about 100)  +  sampler_scratch_bytes(P, V)  +  R (about 250)
//   workspace    = 32 MiB of cuBLASLt;  reserve = 512 MiB for graphs, for what the driver takes and for loading, and 1 GiB
//                  for what NCCL takes where several cards share a model (not measured; its buffers grow with the number of links)
//   pages        = (free - weights - buffers - workspace - reserve) / page, at most slots x ceil(slot_tokens / 256)
// A part of a model (FalconConfig::part) has its own layers alone, and of the matrices V H those that it uses.
// Weights of a plan count every matrix as aligned to 256 bytes; that is less than 0.001 % for any real model.

#include <cstdint>
#include <string>

#include "cuda/pass/model_shape.h"
#include "cuda/weights.h"
#include "model/falcon_config.h"

namespace eyrie::cuda {

inline constexpr uint64_t kWorkspaceBytes = uint64_t{32} << 20;
inline constexpr uint64_t kReserveBytes = uint64_t{512} << 20;
inline constexpr uint64_t kGroupReserveBytes = uint64_t{1} << 30;

/// Head rows that get logits at a time: all slots of a decode pass where that is not too many, a multiple of 16. 256 rows of 65,024 float32
/// are 67 MB.
uint32_t head_rows_for(uint32_t slots);

struct CardOptions {
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;
  uint32_t rows_max = 0;
  uint32_t stop_ids = 0;
};

struct CardPlan {
  uint64_t weights = 0;
  uint64_t buffers = 0;  // of a pass, of the slots and of the sampler
  uint64_t workspace = kWorkspaceBytes;
  uint64_t reserve = kReserveBytes;
  uint64_t page_bytes = 0;
  uint32_t pages_per_slot = 0;
  uint64_t fixed() const { return weights + buffers + workspace + reserve; }
};

CardPlan plan_card(const FalconConfig& config, const LayerFormats& formats, const RankShare& share, const CardOptions& options);

/// Pages that fit `free_bytes`, at most what all slots can use. Throws out_of_memory, saying what is taken by what, unless one sequence of
/// slot_tokens fits.
uint32_t pages_that_fit(const CardPlan& plan, const CardOptions& options, uint64_t free_bytes, const std::string& card);

}  // namespace eyrie::cuda
