#pragma once
// Several cards that hold one model together: every call of the engine goes to all ranks, each on a thread of its own. Each rank has all
// logits and draws the same tokens, so that nothing but the sums of the layers goes from card to card.

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "cuda/cuda_backend.h"
#include "cuda/open_cuda.h"
#include "cuda/ranks/rank_group.h"

namespace eyrie::cuda {

/// Opens one rank's group and backend; called on the rank's thread.
struct RankParts {
  std::shared_ptr<RankTeam> team;  // null: its owner keeps it
  std::unique_ptr<RankGroup> group;
  std::unique_ptr<CudaBackend> backend;
};
using OpenRank = std::function<RankParts(int rank)>;

class RankBackend : public Backend {
 public:
  /// Throws what `open` throws on any rank.
  RankBackend(int ranks, const OpenRank& open);
  ~RankBackend() override;

  void load(WeightLoad& load);

  const BackendInfo& info() const override { return info_; }
  void open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) override;
  void release_pages(uint32_t slot) override;
  void copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) override;
  void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) override;
  void draw(std::span<const HeadRow> rows) override;
  std::span<const HeadResult> collect() override;
  void put_residual(std::span<const float> rows) override;
  void get_residual(std::span<float> rows) override;
  uint64_t multiply_adds() const override;

 private:
  using Task = std::function<void(int rank)>;

  /// Runs the task on all ranks' threads and waits. The first failure of any rank ends the others' waiting and is thrown.
  void on_all(const Task& task);
  void close() noexcept;
  void serve(int rank);
  void fail(std::exception_ptr failure) noexcept;

  std::vector<RankParts> parts_;
  BackendInfo info_;
  std::mutex mutex_;
  std::condition_variable changed_;
  const Task* task_ = nullptr;
  uint64_t round_ = 0;  // of task_
  int running_ = 0;
  bool closing_ = false;
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

/// Opens cards [first_card, first_card + cards) for one model and loads it.
std::unique_ptr<Backend> open_ranks(const CudaBackendOptions& options, uint32_t first_card, uint32_t cards, WeightLoad& load);

}  // namespace eyrie::cuda
