#include "model/block_reader.h"

#include <algorithm>
#include <utility>

namespace eyrie {

BlockReader::BlockReader(const Checkpoint& checkpoint, std::vector<BlockRange> ranges, BlockRing ring)
    : checkpoint_(checkpoint),
      ranges_(std::move(ranges)),
      ring_(std::move(ring)),
      blocks_(ring_.memory.size() / ring_.block_bytes),
      filled_(blocks_),
      failed_at_(ranges_.size()) {
  const size_t readers = std::min({static_cast<size_t>(std::max(ring_.readers, 1)), blocks_, ranges_.size()});
  for (size_t i = 0; i < readers; ++i) threads_.emplace_back([this] { read_blocks(); });
}

BlockReader::~BlockReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

std::span<const std::byte> BlockReader::next() {
  std::unique_lock lock(mutex_);
  released_ = handed_;
  changed_.notify_all();
  const size_t index = handed_;
  changed_.wait(lock, [&] { return filled_[index % blocks_] || failed_at_ == index; });
  if (failed_at_ == index) std::rethrow_exception(failure_);
  filled_[index % blocks_] = false;
  ++handed_;
  return {block(index), ranges_[index].bytes};
}

/// Ranges are claimed in order, so those before a failed one are read by then or being read.
void BlockReader::read_blocks() {
  while (true) {
    size_t index = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || claimed_ >= failed_at_ || claimed_ - released_ < blocks_; });
      if (stopping_ || claimed_ >= failed_at_) return;
      index = claimed_++;
    }
    std::exception_ptr failure;
    try {
      fill(index);
    } catch (...) {
      failure = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      if (!failure) {
        filled_[index % blocks_] = true;
      } else if (index < failed_at_) {
        failed_at_ = index;
        failure_ = failure;
      }
    }
    changed_.notify_all();
  }
}

void BlockReader::fill(size_t index) {
  const BlockRange& range = ranges_[index];
  if (index >= blocks_ && ring_.wait_read) ring_.wait_read(block(index));
  checkpoint_.read(*range.tensor, range.offset, {block(index), range.bytes});
}

}  // namespace eyrie
