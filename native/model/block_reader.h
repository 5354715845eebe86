#pragma once
// Reads a list of byte ranges on threads of its own through a ring of equal blocks, and hands them over in their order.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "io/checkpoint.h"

namespace eyrie {

/// `bytes` from `offset` on within one tensor.
struct BlockRange {
  const TensorInfo* tensor = nullptr;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

/// `memory` is cut into blocks of `block_bytes` >= every range; both outlive the reader.
struct BlockRing {
  std::span<std::byte> memory;
  size_t block_bytes = 0;
  int readers = 1;
  /// Called by a reading thread before it overwrites a block that was handed out; empty where that takes no waiting.
  std::function<void(const std::byte* block)> wait_read;
};

class BlockReader {
 public:
  /// The checkpoint must outlive the reader; destroying the reader early is fine.
  BlockReader(const Checkpoint& checkpoint, std::vector<BlockRange> ranges, BlockRing ring);
  ~BlockReader();
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  /// Bytes of the next range. The caller is done with them at the following call (what it has started with them may go on: wait_read).
  /// Call it at most once per range. Rethrows what reading that range threw.
  std::span<const std::byte> next();

 private:
  void read_blocks();
  void fill(size_t index);
  std::byte* block(size_t index) const { return ring_.memory.data() + index % blocks_ * ring_.block_bytes; }

  const Checkpoint& checkpoint_;
  std::vector<BlockRange> ranges_;
  BlockRing ring_;
  size_t blocks_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t claimed_ = 0;          // ranges that a thread reads or has read
  size_t handed_ = 0;           // ranges handed to the caller
  size_t released_ = 0;         // ranges that the caller is done with
  std::vector<bool> filled_;    // [blocks] holds its range, which was not handed out yet
  size_t failed_at_;            // the first range that could not be read, or their number
  std::exception_ptr failure_;  // of that range
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace eyrie
