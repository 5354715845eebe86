#include "model/available_memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

namespace eyrie {

namespace {

/// The number of a file that holds one; nothing for "max", or a file that is not there.
std::optional<uint64_t> read_number(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  if (file >> value) return value;
  return std::nullopt;
}

/// The number after `key` in lines of "key number".
std::optional<uint64_t> read_entry(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  std::string name;
  uint64_t value = 0;
  for (std::string line; std::getline(file, line);) {
    if (std::istringstream(line) >> name >> value && name == key) return value;
  }
  return std::nullopt;
}

/// What one group leaves. File pages that were not used lately are given back when memory is short, so they count as free.
uint64_t left_in_group(const std::string& folder, const char* limit_file, const char* usage_file, const char* reclaimable) {
  const auto limit = read_number(folder + "/" + limit_file);
  const auto usage = read_number(folder + "/" + usage_file);
  if (!limit || !usage) return UINT64_MAX;
  const uint64_t used = *usage - std::min(*usage, read_entry(folder + "/memory.stat", reclaimable).value_or(0));
  return *limit - std::min(*limit, used);
}

/// The least over a group and all its parents.
template <class Left>
uint64_t left_on_path(const std::string& mount, std::string path, Left left) {
  uint64_t least = left(mount);
  while (path.size() > 1) {
    least = std::min(least, left(mount + path));
    path.erase(path.find_last_of('/'));
  }
  return least;
}

uint64_t left_in_groups(const std::string& root) {
  const auto left_v1 = [](const std::string& folder) {
    return left_in_group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file");
  };
  const auto left_v2 = [](const std::string& folder) { return left_in_group(folder, "memory.max", "memory.current", "inactive_file"); };
  uint64_t least = UINT64_MAX;
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:memory:/path", or "0::/path" for version 2
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string path = line.substr(second + 1);
    if (controllers == "memory") least = std::min(least, left_on_path(root + "/sys/fs/cgroup/memory", path, left_v1));
    if (controllers.empty()) least = std::min(least, left_on_path(root + "/sys/fs/cgroup", path, left_v2));
  }
  return least;
}

}  // namespace

uint64_t available_memory_below(const std::string& root) {
  uint64_t machine = UINT64_MAX;
  if (const auto kib = read_entry(root + "/proc/meminfo", "MemAvailable:")) machine = *kib * 1024;
  return std::min(machine, left_in_groups(root));
}

uint64_t available_memory() { return available_memory_below(""); }

}  // namespace eyrie
