#include "cpu/huge_buffer.h"

#include <sys/mman.h>

#include <cstdint>
#include <string>
#include <utility>

#include "error.h"

namespace eyrie {

namespace {
constexpr size_t kHugePage = size_t{2} << 20;
}

HugeBuffer::HugeBuffer(size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  // One page more than needed, so that an aligned start can be chosen; what is not touched costs no memory.
  mapped_ = bytes <= SIZE_MAX - 2 * kHugePage ? (bytes + kHugePage - 1) / kHugePage * kHugePage + kHugePage : SIZE_MAX;
  void* mapping = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    throw Error(ErrorCode::out_of_memory, "cannot map " + std::to_string(bytes) +
                                              " bytes; use a smaller model, fewer "
                                              "slots, or int8 weights");
  mapping_ = mapping;
  const uintptr_t start = (reinterpret_cast<uintptr_t>(mapping) + kHugePage - 1) / kHugePage * kHugePage;
  data_ = reinterpret_cast<void*>(start);
  madvise(data_, mapped_ - (start - reinterpret_cast<uintptr_t>(mapping)), MADV_HUGEPAGE);  // a wish, not a need
}

HugeBuffer::~HugeBuffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

HugeBuffer::HugeBuffer(HugeBuffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapping_(std::exchange(other.mapping_, nullptr)),
      mapped_(std::exchange(other.mapped_, 0)) {}

HugeBuffer& HugeBuffer::operator=(HugeBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

}  // namespace eyrie
