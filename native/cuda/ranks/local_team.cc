#include "cuda/ranks/local_team.h"

#include <string>

#include "error.h"

namespace eyrie::cuda {

class LocalTeam::Member : public RankGroup {
 public:
  Member(LocalTeam& team, int rank, const Device& device, int64_t count_max)
      : team_(team), rank_(rank), sum_(device.alloc(static_cast<size_t>(count_max) * sizeof(bf16))), ready_(device), read_(device) {}

  /// The host waits for the others in between.
  bool captures() const override { return false; }

  void sum(Stream& stream, bf16* values, int64_t count) override {
    values_ = values;
    stream.record(ready_);
    team_.meet();
    RankSources sources;
    for (int rank = 0; rank < team_.ranks_; ++rank) {
      const Member& other = *team_.members_[static_cast<size_t>(rank)];
      if (rank != rank_) stream.wait(other.ready_);
      sources.of[rank] = other.values_;
    }
    sum_ranks(stream, sources, team_.ranks_, count, sum_.as<bf16>());
    stream.record(read_);
    // Nobody overwrites values that others still read.
    team_.meet();
    for (const Member* other : team_.members_) {
      if (other != this) stream.wait(other->read_);
    }
    stream.copy_on_device(values, sum_.data(), static_cast<size_t>(count) * sizeof(bf16));
  }

  void abort() noexcept override { team_.abort(); }

 private:
  LocalTeam& team_;
  int rank_;
  DeviceBuffer sum_;
  Event ready_;
  Event read_;
  const bf16* values_ = nullptr;
};

LocalTeam::LocalTeam(int ranks) : ranks_(ranks), members_(static_cast<size_t>(ranks), nullptr) {
  if (ranks < 1 || ranks > kRanksMax) {
    throw Error(ErrorCode::invalid_request, "ranks is " + std::to_string(ranks) + ", must be from 1 to " + std::to_string(kRanksMax));
  }
}

std::unique_ptr<RankGroup> LocalTeam::member(int rank, const Device& device, int64_t count_max) {
  auto member = std::make_unique<Member>(*this, rank, device, count_max);
  members_[static_cast<size_t>(rank)] = member.get();
  return member;
}

void LocalTeam::meet() {
  std::unique_lock lock(mutex_);
  const uint64_t round = round_;
  if (++waiting_ == ranks_) {
    waiting_ = 0;
    ++round_;
    all_here_.notify_all();
  } else {
    all_here_.wait(lock, [&] { return round_ != round || aborted_; });
  }
  if (aborted_) throw Error(ErrorCode::engine_closed, "another card of this model has failed; open the engine again");
}

void LocalTeam::abort() noexcept {
  {
    const std::lock_guard lock(mutex_);
    aborted_ = true;
  }
  all_here_.notify_all();
}

}  // namespace eyrie::cuda
