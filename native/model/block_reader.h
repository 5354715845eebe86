#pragma once
// Reads a list of byte ranges on a thread of its own, in order, through a ring of equal buffers.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "cpu/huge_buffer.h"
#include "io/checkpoint.h"

namespace eyrie {

/// `bytes` from `offset` on within one tensor.
struct BlockRange {
  const TensorInfo* tensor = nullptr;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class BlockReader {
 public:
  /// `buffer_bytes` >= every range. The checkpoint must outlive the reader; destroying the reader early is fine.
  BlockReader(const Checkpoint& checkpoint, std::vector<BlockRange> ranges, uint64_t buffer_bytes, int buffers);
  ~BlockReader();
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  /// Bytes of the next range, valid until the following call. Call it at most once per range. Rethrows what reading threw.
  std::span<const std::byte> next();

 private:
  void read_all();

  const Checkpoint& checkpoint_;
  std::vector<BlockRange> ranges_;
  uint64_t buffer_bytes_;
  size_t buffers_;
  HugeBuffer memory_;
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t read_ = 0;      // ranges that lie in the ring or were given back
  size_t handed_ = 0;    // ranges handed to the caller
  size_t released_ = 0;  // ranges whose buffer may be overwritten
  bool stopping_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

}  // namespace eyrie
