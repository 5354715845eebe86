#include "cuda/ranks/local_team.h"

namespace eyrie::cuda {

uint64_t team_bytes(int, int64_t count_max) { return static_cast<uint64_t>(count_max) * sizeof(bf16); }

std::unique_ptr<RankTeam> open_team(int ranks) { return std::make_unique<LocalTeam>(ranks); }

}  // namespace eyrie::cuda
