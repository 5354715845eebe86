#pragma once
// The memory of the emulated card: a heap block of exactly the size asked for per buffer, full of 0xFF bytes, so that AddressSanitizer
// sees what passes an end and what was never written reads as NaN. In builds with AddressSanitizer only the work of a stream may touch
// it: on a card its addresses mean nothing to the host.

#include <cstddef>

namespace eyrie::emulation {

/// Throws out_of_memory where the card has no room left.
void* allocate_device_memory(size_t bytes);
void free_device_memory(void* address) noexcept;
size_t free_device_bytes();

/// Memory of the host: no limit and no guard, but poisoned, too.
void* allocate_host_memory(size_t bytes);

/// As long as one of these lives, device memory may be touched.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace eyrie::emulation
