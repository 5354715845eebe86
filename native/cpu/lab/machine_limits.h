#pragma once
// What this machine can do at most, measured: the yardstick for the shares that benches report.

#include "cpu/compute.h"

namespace eyrie {

/// Over all threads of the pool; 0 where the CPU lacks the instructions.
struct MachineLimits {
  double read_gb_s;        ///< reading memory that no cache holds, 1e9 bytes a second
  double fresh_gb_s;       ///< first touch of memory: the kernel clears it, in a virtual machine slowly
  double amx_bf16_gflops;  ///< multiply and add count as two
  double amx_int8_gops;
  double avx512_bf16_gflops;
  double avx512_vnni_gops;
  double fp32_gflops;  ///< fused multiply-adds of the widest vectors
};

/// A clock for such measurements, in seconds. A pool of one runs on the calling thread, whose own CPU time is not disturbed
/// by other work on the machine; with several threads only wall time means something.
double bench_seconds(const ThreadPool& pool);

/// Best of `rounds` short runs each, some 0.2 s a round. Other work on the machine lowers the figures: measure them in
/// the same minute as what is compared with them. Takes 512 MiB while it runs.
MachineLimits measure_limits(ThreadPool& pool, int rounds);

}  // namespace eyrie
