#pragma once
// What every op needs to run: the threads, and the kernels of one ISA level.

#include "cpu/isa.h"
#include "threads/thread_pool.h"

namespace eyrie {

struct VectorKernels;
struct LinearKernels;
struct AttentionKernels;

/// Cheap to copy; the pool must outlive it. Make it with make_compute().
struct Compute {
  ThreadPool* pool;
  Isa isa;
  const VectorKernels* vector;
  const LinearKernels* linear;
  const AttentionKernels* attention;
};

/// Throws unsupported_device where this CPU cannot run `isa`.
Compute make_compute(ThreadPool& pool, Isa isa);

}  // namespace eyrie
