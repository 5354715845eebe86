// How near the matrix products come to what the machine can do.
//
//   lab_linear_bench [threads=0] [isa=auto] [rounds=5] [filter]     one JSON line per shape
//
// Limits and product alternate within each round, since the machine may be shared. Several threads: wall time, the best of
// the rounds. One thread: its CPU time, the median. A share
// is of the limit that binds: the larger of the time for reading the weights once and the time for the arithmetic.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "cpu/lab/machine_limits.h"
#include "cpu/linear/linear.h"
#include "numbers/bfloat16.h"

namespace {

using namespace eyrie;

struct Shape {
  const char* name;
  int64_t n, k;
};
constexpr Shape kShapes[] = {{"slice40-qkv", 9216, 8192},   {"slice40-up", 32768, 8192}, {"slice40-down", 8192, 32768},
                             {"slice40-head", 65024, 8192}, {"small-qkv", 1280, 1024},   {"small-up", 4096, 1024},
                             {"small-down", 1024, 4096},    {"small-head", 65024, 1024}};
constexpr int64_t kRows[] = {1, 16, 32, 64, 128, 256, 512, 1024, 2048};

// The multiply rate that the level can reach; int8 weights are multiplied as such by VNNI, as bfloat16 otherwise.
double rate_limit(const MachineLimits& l, Isa isa, DType dtype) {
  if (dtype == DType::float32) return l.fp32_gflops;
  if (dtype == DType::int8 && (isa == Isa::avx512vnni || isa == Isa::avx512bf16)) return l.avx512_vnni_gops;
  return isa == Isa::amx ? l.amx_bf16_gflops : isa == Isa::avx512bf16 ? l.avx512_bf16_gflops : l.fp32_gflops;
}

// The best of several runs in wall time. A thread's own CPU time is sometimes counted short: there, the median.
double typical(const ThreadPool& pool, std::vector<double> values, bool larger_is_better) {
  std::sort(values.begin(), values.end());
  if (pool.size() == 1) return values[values.size() / 2];
  return larger_is_better ? values.back() : values.front();
}

}  // namespace

int main(int argc, char** argv) {
  ThreadPool pool(argc > 1 ? std::atoi(argv[1]) : 0);
  pool.pin_caller();
  const Compute compute = make_compute(pool, resolve_isa(argc > 2 ? argv[2] : "auto"));
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 5;
  const std::string filter = argc > 4 ? argv[4] : "";
  for (DType dtype : {DType::bfloat16, DType::int8, DType::float32}) {
    for (const Shape& shape : kShapes) {
      for (int64_t m : kRows) {
        const std::string name = std::string(shape.name) + "/" + dtype_name(dtype) + "/" + std::to_string(m);
        if ((name + "$").find(filter) == std::string::npos) continue;  // so that a filter may end with $
        PackedLinear w(shape.n, shape.k, dtype);
        {
          std::vector<float> rows(static_cast<size_t>(512 * shape.k), 0.01f);
          for (int64_t r = 0; r < shape.n; r += 512)
            w.pack_rows(compute, r, std::min<int64_t>(512, shape.n - r), rows.data(), DType::float32);
        }
        const std::vector<float> x(static_cast<size_t>(m * shape.k), 0.25f);
        const std::vector<bf16> narrow(x.size(), to_bf16(0.25f));
        std::vector<float> y(static_cast<size_t>(m * shape.n));
        const HugeBuffer scratch(linear_scratch_bytes(compute, w, m));
        const LinearCall call{.x = dtype == DType::float32 ? static_cast<const void*>(x.data()) : narrow.data(),
                              .m = m,
                              .y = y.data(),
                              .y_stride = shape.n,
                              .y_dtype = DType::float32};
        std::vector<double> read_limits, rate_limits, seconds;
        for (int r = 0; r < rounds; ++r) {
          const MachineLimits limits = measure_limits(pool, 1);
          read_limits.push_back(limits.read_gb_s);
          rate_limits.push_back(rate_limit(limits, compute.isa, dtype));
          for (int i = 0; i < 3; ++i) {
            const double start = bench_seconds(pool);
            linear(compute, w, call, scratch);
            seconds.push_back(bench_seconds(pool) - start);
          }
        }
        const double read_limit = typical(pool, read_limits, true), rate = typical(pool, rate_limits, true),
                     best = typical(pool, seconds, false);
        const double flops = 2.0 * static_cast<double>(m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
        const double bytes = static_cast<double>(w.bytes());
        const double reading = bytes / 1e9 / read_limit, computing = rate > 0 ? flops / 1e9 / rate : 0;
        std::printf(
            "{\"shape\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"ms\": %.3f, \"gb_s\": %.1f, \"read_limit_gb_s\": %.1f, \"gflops\": "
            "%.0f, "
            "\"rate_limit_gflops\": %.0f, \"share\": %.3f, \"bound\": \"%s\"}\n",
            name.c_str(), isa_name(compute.isa), pool.size(), best * 1e3, bytes / best / 1e9, read_limit, flops / best / 1e9, rate,
            std::max(reading, computing) / best, reading > computing ? "read" : "rate");
        std::fflush(stdout);
      }
    }
  }
}
