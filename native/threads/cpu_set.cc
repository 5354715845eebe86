#include "threads/cpu_set.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

namespace eyrie {

namespace {

int ceil_ratio(double quota, double period) {
  return quota > 0 && period > 0 ? std::max(1, static_cast<int>((quota + period - 1) / period)) : 0;
}

int tightest(int a, int b) { return a == 0 ? b : b == 0 ? a : std::min(a, b); }

int limit_v2(const std::string& folder) {
  std::ifstream file(folder + "/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max") return 0;
  return ceil_ratio(std::strtod(quota.c_str(), nullptr), period);
}

int limit_v1(const std::string& folder) {
  std::ifstream quota_file(folder + "/cpu.cfs_quota_us"), period_file(folder + "/cpu.cfs_period_us");
  double quota = 0, period = 0;
  if (!(quota_file >> quota) || !(period_file >> period)) return 0;  // -1 = no limit
  return ceil_ratio(quota, period);
}

// A limit set on a parent group binds its children too, so every folder up to the mount point counts.
template <class Limit>
int limit_on_path(const std::string& mount, std::string path, Limit limit) {
  int found = limit(mount);
  while (!path.empty() && path != "/") {
    found = tightest(found, limit(mount + path));
    path.erase(path.find_last_of('/'));
  }
  return found;
}

bool names_cpu_controller(const std::string& controllers) {
  std::istringstream list(controllers);
  for (std::string one; std::getline(list, one, ',');)
    if (one == "cpu") return true;
  return false;
}

}  // namespace

std::vector<int> allowed_cpus() {
  std::vector<int> cpus;
  // Machines with more CPUs than cpu_set_t holds need a larger set: grow until the kernel is satisfied.
  for (int bits = CPU_SETSIZE; bits <= 1 << 16; bits *= 2) {
    cpu_set_t* set = CPU_ALLOC(bits);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(bits);
    CPU_ZERO_S(bytes, set);
    const bool ok = sched_getaffinity(0, bytes, set) == 0;
    for (int i = 0; ok && i < bits; ++i)
      if (CPU_ISSET_S(i, bytes, set)) cpus.push_back(i);
    CPU_FREE(set);
    if (ok) break;
  }
  if (cpus.empty()) cpus.push_back(0);
  return cpus;
}

int cgroup_cpu_limit() {
  std::ifstream file("/proc/self/cgroup");
  int limit = 0;
  for (std::string line; std::getline(file, line);) {  // "7:cpu,cpuacct:/path", or "0::/path" for version 2
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      limit = tightest(limit, limit_on_path("/sys/fs/cgroup", path, limit_v2));
    } else if (names_cpu_controller(controllers)) {
      limit = tightest(limit, limit_on_path("/sys/fs/cgroup/cpu", path, limit_v1));
    }
  }
  return limit;
}

int usable_cpu_count() {
  const int allowed = static_cast<int>(allowed_cpus().size()), limit = cgroup_cpu_limit();
  return limit > 0 ? std::min(allowed, limit) : allowed;
}

bool pin_current_thread(int cpu) noexcept {
  cpu_set_t* set = CPU_ALLOC(cpu + 1);
  if (set == nullptr) return false;
  const size_t bytes = CPU_ALLOC_SIZE(cpu + 1);
  CPU_ZERO_S(bytes, set);
  CPU_SET_S(cpu, bytes, set);
  const bool ok = sched_setaffinity(0, bytes, set) == 0;
  CPU_FREE(set);
  return ok;
}

}  // namespace eyrie
