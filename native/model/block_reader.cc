#include "model/block_reader.h"

#include <utility>

namespace eyrie {

BlockReader::BlockReader(const Checkpoint& checkpoint, std::vector<BlockRange> ranges, uint64_t buffer_bytes, int buffers)
    : checkpoint_(checkpoint),
      ranges_(std::move(ranges)),
      buffer_bytes_(buffer_bytes),
      buffers_(static_cast<size_t>(buffers)),
      memory_(buffer_bytes * buffers_),
      thread_([this] { read_all(); }) {}

BlockReader::~BlockReader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::span<const std::byte> BlockReader::next() {
  std::unique_lock lock(mutex_);
  released_ = handed_;
  changed_.notify_all();
  changed_.wait(lock, [this] { return read_ > handed_ || failure_; });
  if (read_ <= handed_) std::rethrow_exception(failure_);
  const size_t index = handed_++;
  return {memory_.as<std::byte>() + index % buffers_ * buffer_bytes_, ranges_[index].bytes};
}

void BlockReader::read_all() {
  for (size_t index = 0; index < ranges_.size(); ++index) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return index - released_ < buffers_ || stopping_; });
      if (stopping_) return;
    }
    std::exception_ptr failure;
    try {
      const BlockRange& range = ranges_[index];
      checkpoint_.read(*range.tensor, range.offset, {memory_.as<std::byte>() + index % buffers_ * buffer_bytes_, range.bytes});
    } catch (...) {
      failure = std::current_exception();
    }
    {
      const std::lock_guard lock(mutex_);
      if (failure) {
        failure_ = failure;
      } else {
        ++read_;
      }
    }
    changed_.notify_all();
    if (failure) return;
  }
}

}  // namespace eyrie
