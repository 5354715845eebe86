#pragma once
// A model shared by ranks that have the memory of one emulated card.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cuda/ranks/local_team.h"
#include "cuda/ranks/rank_backend.h"
#include "test/cuda/emulated_engine.h"

namespace eyrie::test {

class FolderLoad : public WeightLoad {
 public:
  FolderLoad(std::string folder, const FalconConfig& config) : folder_(std::move(folder)), config_(config) {}
  void load(WeightSink& sink) override { load_falcon(folder_, config_, sink, kNoProgress, kNotCancelled); }

 private:
  std::string folder_;
  FalconConfig config_;
};

inline Outcomes run_on_ranks(int ranks, const std::string& folder, const FalconConfig& config, const Loop& loop,
                             const std::vector<Request>& requests, uint32_t order_seed = 1) {
  cuda::LocalTeam team(ranks);
  auto backend = std::make_unique<cuda::RankBackend>(ranks, [&](int rank) {
    auto device = std::make_shared<cuda::Device>();
    cuda::CudaBackendOptions options = card_options(config, loop);
    options.share = {rank, ranks};
    cuda::RankParts parts;
    parts.group = team.member(rank, *device, int64_t{cuda::rounded_rows(options.rows_max)} * config.hidden_size);
    parts.backend = std::make_unique<cuda::CudaBackend>(std::move(device), options, parts.group.get());
    return parts;
  });
  FolderLoad load(folder, config);
  backend->load(load);
  EXPECT_EQ(backend->info().kind, ranks == 1 ? "emulation sm_90" : "emulation sm_90 x " + std::to_string(ranks));
  return run_requests(std::move(backend), engine_options(config, loop), requests, order_seed);
}

}  // namespace eyrie::test
