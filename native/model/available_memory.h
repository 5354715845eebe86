#pragma once
#include <cstdint>
#include <string>

namespace eyrie {

/// Bytes this process may still take: the least of what the machine has (free or reclaimable) and what its control groups (versions
/// 1 and 2, up to the root) grant. UINT64_MAX where the system does not tell.
uint64_t available_memory();

/// The same from files below `root` in place of `/`, for tests.
uint64_t available_memory_below(const std::string& root);

}  // namespace eyrie
