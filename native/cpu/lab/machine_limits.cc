#include "cpu/lab/machine_limits.h"

#include <algorithm>
#include <atomic>
#include <ctime>

#include "cpu/huge_buffer.h"
#include "cpu/lab/issue_rate.h"

namespace eyrie {

double bench_seconds(const ThreadPool& pool) {
  timespec t{};
  clock_gettime(pool.size() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

namespace {

#if defined(__x86_64__)

constexpr int64_t kReadBytes = int64_t{512} << 20;
constexpr int64_t kPageBytes = 4096;
constexpr double kSeconds = 0.02;  // long against a wake-up, short enough to fit between other work

// Work per second over all threads, best of `rounds`; body(thread) does `work` of it.
template <class Body>
double best_rate(ThreadPool& pool, int rounds, double work, Body body) {
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const double start = bench_seconds(pool);
    pool.run(body);
    best = std::max(best, work * pool.size() / (bench_seconds(pool) - start) / 1e9);
  }
  return best;
}

double issue_rate(ThreadPool& pool, int rounds, bool present, double operations, void (*issue)(int64_t)) {
  if (!present) return 0;
  constexpr int64_t kTrial = 100000;
  const double start = bench_seconds(pool);
  issue(kTrial);
  const double trial = bench_seconds(pool) - start;
  const int64_t repeats = std::max<int64_t>(1, static_cast<int64_t>(kTrial * kSeconds / trial));
  return best_rate(pool, rounds, operations * static_cast<double>(repeats), [&](int) { issue(repeats); });
}

// Each round takes memory of its own: touches it for the first time, then reads it.
void measure_memory(ThreadPool& pool, int rounds, MachineLimits& limits) {
  const auto read_all = isa_supported(Isa::avx512) ? read_all_avx512 : isa_supported(Isa::avx2) ? read_all_avx2 : nullptr;
  const int64_t share = kReadBytes / pool.size() / kPageBytes * kPageBytes;
  std::atomic<uint64_t> sink{0};
  for (int i = 0; i < rounds; ++i) {
    const HugeBuffer buffer(static_cast<size_t>(kReadBytes));
    const auto rate = [&](auto body) {
      return best_rate(pool, 1, static_cast<double>(share), [&](int thread) { body(buffer.as<char>() + thread * share); });
    };
    limits.fresh_gb_s = std::max(limits.fresh_gb_s, rate([&](volatile char* from) {
                                   for (int64_t at = 0; at < share; at += kPageBytes) from[at] = 1;
                                 }));
    if (read_all != nullptr) limits.read_gb_s = std::max(limits.read_gb_s, rate([&](const char* from) { sink ^= read_all(from, share); }));
  }
}

#endif

}  // namespace

#if defined(__x86_64__)
MachineLimits measure_limits(ThreadPool& pool, int rounds) {
  const bool amx = isa_supported(Isa::amx) && !kEmulatedTiles, pairs = isa_supported(Isa::avx512bf16),
             quads = isa_supported(Isa::avx512vnni), wide = isa_supported(Isa::avx512);
  MachineLimits limits{};
  measure_memory(pool, rounds, limits);
  limits.amx_bf16_gflops = issue_rate(pool, rounds, amx, kTileOpsBfloat16, issue_tile_bf16);
  limits.amx_int8_gops = issue_rate(pool, rounds, amx, kTileOpsInt8, issue_tile_int8);
  limits.avx512_bf16_gflops = issue_rate(pool, rounds, pairs, kPairOpsAvx512, issue_dpbf16);
  limits.avx512_vnni_gops = issue_rate(pool, rounds, quads, kQuadOpsAvx512, issue_dpbusd);
  limits.fp32_gflops = wide ? issue_rate(pool, rounds, true, kFmaOpsAvx512, issue_fma_avx512)
                            : issue_rate(pool, rounds, isa_supported(Isa::avx2), kFmaOpsAvx2, issue_fma_avx2);
  return limits;
}
#else
MachineLimits measure_limits(ThreadPool&, int) { return {}; }
#endif

}  // namespace eyrie
