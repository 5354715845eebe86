#include "cuda/ranks/gathered_group.h"

namespace eyrie::cuda {

namespace {

/// Of NCCL on each card: its buffers grow with the number of links. Not measured; too much costs pages, too little the start.
constexpr uint64_t kNcclBytes = uint64_t{1} << 30;

}  // namespace

uint64_t team_bytes(int ranks, int64_t count_max) {
  return kNcclBytes + static_cast<uint64_t>(ranks) * static_cast<uint64_t>(count_max) * sizeof(bf16);
}

std::unique_ptr<RankTeam> open_team(int ranks) { return std::make_unique<GatheredTeam>(ranks); }

}  // namespace eyrie::cuda
