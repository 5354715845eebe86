#include "cuda/ranks/rank_backend.h"

#include <algorithm>
#include <string>
#include <utility>

#include "cuda/ranks/rank_sink.h"
#include "error.h"

namespace eyrie::cuda {

RankBackend::RankBackend(int ranks, const OpenRank& open) : parts_(static_cast<size_t>(ranks)) {
  for (int rank = 0; rank < ranks; ++rank) threads_.emplace_back([this, rank] { serve(rank); });
  try {
    on_all([&](int rank) {
      RankParts parts = open(rank);
      const std::lock_guard lock(mutex_);
      parts_[static_cast<size_t>(rank)] = std::move(parts);
    });
  } catch (...) {
    RankBackend::close();
    throw;
  }
  info_ = parts_.front().backend->info();
  for (size_t rank = 1; rank < parts_.size(); ++rank) {
    const BackendInfo& other = parts_[rank].backend->info();
    info_.weight_bytes += other.weight_bytes;
    info_.kv_cache_bytes += other.kv_cache_bytes;
  }
}

RankBackend::~RankBackend() { close(); }

/// Each rank's memory is freed on its thread.
void RankBackend::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void RankBackend::serve(int rank) {
  RankParts& mine = parts_[static_cast<size_t>(rank)];
  uint64_t done = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return closing_ || round_ != done; });
    if (closing_) break;
    done = round_;
    const Task& task = *task_;
    lock.unlock();
    try {
      task(rank);
    } catch (...) {
      fail(std::current_exception());
    }
    lock.lock();
    if (--running_ == 0) changed_.notify_all();
  }
  lock.unlock();
  mine.backend.reset();
  mine.group.reset();
}

void RankBackend::fail(std::exception_ptr failure) noexcept {
  const std::lock_guard lock(mutex_);
  if (failure_ != nullptr) return;
  failure_ = std::move(failure);
  for (const RankParts& part : parts_) {
    if (part.group) part.group->abort();
  }
}

void RankBackend::on_all(const Task& task) {
  std::unique_lock lock(mutex_);
  if (failure_ == nullptr) {
    task_ = &task;
    running_ = static_cast<int>(parts_.size());
    ++round_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return running_ == 0; });
  }
  if (failure_ != nullptr) std::rethrow_exception(failure_);
}

void RankBackend::load(WeightLoad& load) {
  std::vector<CudaBackend*> ranks;
  for (const RankParts& part : parts_) ranks.push_back(part.backend.get());
  RankSink sink(ranks);
  load.load(sink);
}

void RankBackend::open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->open_slot(slot, sampling, prompt, tokens); });
}

void RankBackend::release_pages(uint32_t slot) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->release_pages(slot); });
}

void RankBackend::copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->copy_prefix(from, to, tokens); });
}

void RankBackend::forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->forward(tokens, spans); });
}

void RankBackend::draw(std::span<const HeadRow> rows) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->draw(rows); });
}

std::span<const HeadResult> RankBackend::collect() {
  std::span<const HeadResult> results;
  on_all([&](int rank) {
    const std::span<const HeadResult> mine = parts_[static_cast<size_t>(rank)].backend->collect();
    if (rank == 0) results = mine;
  });
  return results;
}

void RankBackend::put_residual(std::span<const float> rows) {
  on_all([&](int rank) { parts_[static_cast<size_t>(rank)].backend->put_residual(rows); });
}

/// All ranks have the same.
void RankBackend::get_residual(std::span<float> rows) {
  on_all([&](int rank) {
    if (rank == 0) parts_.front().backend->get_residual(rows);
  });
}

uint64_t RankBackend::multiply_adds() const {
  uint64_t sum = 0;
  for (const RankParts& part : parts_) sum += part.backend->multiply_adds();
  return sum;
}

std::unique_ptr<Backend> open_ranks(const CudaBackendOptions& options, uint32_t first_card, uint32_t cards, WeightLoad& load) {
  const auto ranks = static_cast<int>(cards);
  std::vector<std::shared_ptr<Device>> devices;
  CudaBackendOptions common = options;
  uint32_t pages = UINT32_MAX;
  // What a card lacks is found before the ranks meet: from then on each waits for all. All have as many pages as the one with fewest.
  for (int rank = 0; rank < ranks; ++rank) {
    devices.push_back(std::make_shared<Device>(static_cast<int>(first_card) + rank));
    common.share = {rank, ranks};
    pages = std::min(pages, plan_pages(*devices.back(), common));
  }
  common.kv_pages = pages;
  const std::shared_ptr<RankTeam> team = open_team(ranks);
  auto backend = std::make_unique<RankBackend>(ranks, [&](int rank) {
    const std::shared_ptr<Device>& device = devices[static_cast<size_t>(rank)];
    device->make_current();
    CudaBackendOptions mine = common;
    mine.share = {rank, ranks};
    RankParts parts;
    parts.team = team;
    parts.group = team->member(rank, *device, int64_t{rounded_rows(options.rows_max)} * options.config.hidden_size);
    parts.backend = std::make_unique<CudaBackend>(device, mine, parts.group.get());
    return parts;
  });
  backend->load(load);
  return backend;
}

}  // namespace eyrie::cuda
