#pragma once
// At which shapes attention is checked.

#include <string>
#include <vector>

#include "gpu/checks/attention/paged_model.h"
#include "gpu/checks/transfer.h"

namespace eyrie::gpu::paged {

/// One group of 40B's heads and one of 11B's; in full 40B, 7B, 180B and 11B as they are.
inline std::vector<Heads> heads_for(CheckSize size) {
  if (size == CheckSize::small) return {{4, 1, 64}, {2, 2, 128}};
  if (size == CheckSize::brief) return {{16, 1, 64}, {4, 2, 128}};
  return {{128, 8, 64}, {71, 1, 64}, {58, 2, 64}, {32, 8, 128}, {3, 1, 64}, {20, 1, 128}};
}

inline std::string text(const Heads& heads) {
  return "heads=" + std::to_string(heads.query) + "/" + std::to_string(heads.kv) + "x" + std::to_string(heads.dim);
}

}  // namespace eyrie::gpu::paged
