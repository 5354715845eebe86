#pragma once
// Which CPUs this process may use, and how many of them at once.

#include <vector>

namespace eyrie {

/// Ids of the CPUs in the scheduling mask of the calling thread, ascending; {0} where the system does not tell.
std::vector<int> allowed_cpus();

/// CPUs' worth of time that the control group grants (quota / period, rounded up), versions 1 and 2, the tightest of
/// the groups on the path to the root; 0 where there is no limit.
int cgroup_cpu_limit();

/// min(allowed CPUs, control group limit), at least 1: the default number of compute threads.
int usable_cpu_count();

/// Keeps the calling thread on one CPU. False where the system refuses, which costs speed only.
bool pin_current_thread(int cpu) noexcept;

}  // namespace eyrie
