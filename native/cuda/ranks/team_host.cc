#include "cuda/ranks/local_team.h"

namespace eyrie::cuda {

std::unique_ptr<RankTeam> open_team(int ranks) { return std::make_unique<LocalTeam>(ranks); }

}  // namespace eyrie::cuda
