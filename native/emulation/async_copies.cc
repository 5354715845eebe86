#include "emulation/async_copies.h"

#include <cstring>

namespace eyrie::emulation {

namespace {
constexpr size_t kBytes = 16;
}

void AsyncCopies::start(void* shared, const void* global, bool valid) {
  char seen[kBytes];
  // Read now, too, so that a sanitizer names the line that asks for bytes which are not there.
  if (valid) std::memcpy(seen, global, kBytes);
  std::memset(shared, 0xff, kBytes);
  under_way_.push_back({shared, valid ? global : nullptr, group_});
}

void AsyncCopies::wait(uint32_t newest) {
  const uint32_t done = group_ < newest ? 0 : group_ - newest;
  size_t count = 0;
  for (; count < under_way_.size() && under_way_[count].group < done; ++count) {
    const Copy& copy = under_way_[count];
    if (copy.from == nullptr) {
      std::memset(copy.to, 0, kBytes);
    } else {
      std::memcpy(copy.to, copy.from, kBytes);
    }
  }
  under_way_.erase(under_way_.begin(), under_way_.begin() + static_cast<std::ptrdiff_t>(count));
}

void AsyncCopies::clear() {
  under_way_.clear();
  group_ = 0;
}

}  // namespace eyrie::emulation
