#pragma once
// A pass on its way: what it computes, and which of its rows somebody wants the logits of.

#include <chrono>
#include <cstdint>
#include <vector>

#include "engine/scheduler.h"

namespace eyrie {

/// A row of logits that somebody wants: it scores a prompt token, or yields the slot's next token.
struct WantedRow {
  uint32_t index = 0;  // among the head rows of the pass
  uint32_t slot = 0;
  uint32_t position = 0;
  bool draws = false;
};

struct Pass {
  PassPlan plan;
  std::vector<WantedRow> wanted;
  std::vector<WantedRow> drawn;  // those of sequences that were not over at draw()
  std::chrono::steady_clock::time_point begun;
  uint64_t multiply_adds = 0;
  uint64_t prompt_tokens = 0;  // of the prompts that end in it
  uint32_t generated_tokens = 0;
};

}  // namespace eyrie
