#pragma once
// Zeroed memory for weights, caches and scratch: aligned to 2 MiB and offered to the kernel as huge pages, because a
// step reads all weights once and would otherwise miss the TLB on every fourth KiB.

#include <cstddef>

namespace eyrie {

class HugeBuffer {
 public:
  HugeBuffer() = default;
  /// `bytes` may be 0. Pages are taken when first touched. Throws out_of_memory.
  explicit HugeBuffer(size_t bytes);
  ~HugeBuffer();
  HugeBuffer(HugeBuffer&& other) noexcept;
  HugeBuffer& operator=(HugeBuffer&& other) noexcept;

  void* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
};

}  // namespace eyrie
