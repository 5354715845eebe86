#include "cuda/ranks/gathered_group.h"

namespace eyrie::cuda {

std::unique_ptr<RankTeam> open_team(int ranks) { return std::make_unique<GatheredTeam>(ranks); }

}  // namespace eyrie::cuda
