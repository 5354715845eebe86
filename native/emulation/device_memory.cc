#include "emulation/device_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "emulation/settings.h"
#include "error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace eyrie::emulation {

namespace {

struct Memory {
  std::mutex mutex;
  std::map<void*, size_t> blocks;
  size_t used = 0;
  int accesses = 0;
};

Memory& memory() {
  static Memory memory;
  return memory;
}

void* allocate(size_t bytes) {
  void* address = nullptr;
  if (posix_memalign(&address, 256, bytes) != 0) {
    throw Error(ErrorCode::out_of_memory, "the host has no " + std::to_string(bytes) + " bytes for the emulation");
  }
  std::memset(address, 0xff, bytes);
  return address;
}

}  // namespace

void* allocate_device_memory(size_t bytes) {
  const size_t free = free_device_bytes();
  if (bytes > free) {
    throw Error(ErrorCode::out_of_memory, "the emulated card cannot give " + std::to_string(bytes) + " bytes, of its " +
                                              std::to_string(device_bytes()) + " bytes " + std::to_string(free) +
                                              " bytes are free: take fewer slots or smaller weights");
  }
  void* address = allocate(bytes);
  const std::lock_guard lock(memory().mutex);
  memory().blocks[address] = bytes;
  memory().used += bytes;
  if (memory().accesses == 0) ASAN_POISON_MEMORY_REGION(address, bytes);
  return address;
}

void free_device_memory(void* address) noexcept {
  const std::lock_guard lock(memory().mutex);
  const auto block = memory().blocks.find(address);
  ASAN_UNPOISON_MEMORY_REGION(address, block->second);
  memory().used -= block->second;
  memory().blocks.erase(block);
  std::free(address);
}

size_t free_device_bytes() {
  const std::lock_guard lock(memory().mutex);
  return device_bytes() - std::min(device_bytes(), memory().used);
}

void* allocate_host_memory(size_t bytes) { return allocate(bytes); }

DeviceAccess::DeviceAccess() {
#if defined(__SANITIZE_ADDRESS__)
  const std::lock_guard lock(memory().mutex);
  if (memory().accesses++ > 0) return;
  for (const auto& [address, bytes] : memory().blocks) ASAN_UNPOISON_MEMORY_REGION(address, bytes);
#endif
}

DeviceAccess::~DeviceAccess() {
#if defined(__SANITIZE_ADDRESS__)
  const std::lock_guard lock(memory().mutex);
  if (--memory().accesses > 0) return;
  for (const auto& [address, bytes] : memory().blocks) ASAN_POISON_MEMORY_REGION(address, bytes);
#endif
}

}  // namespace eyrie::emulation
