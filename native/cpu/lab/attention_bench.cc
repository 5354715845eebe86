// Time of attention beside that of the matrix products of the same layer.
//
//   lab_attention_bench [threads=0] [isa=auto] [rounds=10]     one JSON line per case
//
// `share` is attention's time over the time that the layer's four products take at the measured limit (reading the
// weights once, or the multiply rate, whichever is longer): what attention adds to a layer that is otherwise perfect.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cpu/attention/attention.h"
#include "cpu/huge_buffer.h"
#include "cpu/lab/machine_limits.h"
#include "numbers/bfloat16.h"

namespace {

using namespace eyrie;

struct Case {
  const char* model;
  int64_t hidden, q_heads, kv_heads, head_dim;
  int64_t sequences, rows, context;  // each sequence adds `rows` rows behind `context` positions
};
constexpr Case kCases[] = {
    {"slice40", 8192, 128, 8, 64, 32, 1, 256}, {"slice40", 8192, 128, 8, 64, 32, 1, 1024}, {"slice40", 8192, 128, 8, 64, 32, 1, 2016},
    {"slice40", 8192, 128, 8, 64, 4, 128, 0},  {"slice40", 8192, 128, 8, 64, 1, 512, 0},   {"slice40", 8192, 128, 8, 64, 1, 2048, 0},
    {"small", 1024, 16, 2, 64, 32, 1, 256},    {"small", 1024, 16, 2, 64, 32, 1, 1024},    {"small", 1024, 16, 2, 64, 4, 128, 0},
    {"small", 1024, 16, 2, 64, 1, 512, 0},
};

}  // namespace

int main(int argc, char** argv) {
  ThreadPool pool(argc > 1 ? std::atoi(argv[1]) : 0);
  pool.pin_caller();
  const Compute compute = make_compute(pool, resolve_isa(argc > 2 ? argv[2] : "auto"));
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 10;
  const MachineLimits limits = measure_limits(pool, 3);
  const double rate = compute.isa == Isa::amx          ? limits.amx_bf16_gflops
                      : compute.isa == Isa::avx512bf16 ? limits.avx512_bf16_gflops
                                                       : limits.fp32_gflops;
  for (const Case& c : kCases) {
    const AttentionShape shape{.q_heads = c.q_heads,
                               .kv_heads = c.kv_heads,
                               .head_dim = c.head_dim,
                               .cache_dtype = DType::bfloat16,
                               .scale = 1.0f / std::sqrt(static_cast<float>(c.head_dim))};
    const int64_t capacity = (c.context + c.rows + kKvBlock - 1) / kKvBlock * kKvBlock, width = (c.q_heads + 2 * c.kv_heads) * c.head_dim;
    const size_t slot_bytes = kv_bytes(shape, capacity);
    const HugeBuffer keys(slot_bytes * static_cast<size_t>(c.sequences)), values(slot_bytes * static_cast<size_t>(c.sequences));
    const int64_t m = c.sequences * c.rows;
    std::vector<float> qkv(static_cast<size_t>(m * width), 0.1f);
    std::vector<bf16> out(static_cast<size_t>(m * c.q_heads * c.head_dim));
    std::vector<KvRows> rows;
    for (int64_t s = 0; s < c.sequences; ++s) {
      const KvSlot slot{keys.as<char>() + static_cast<size_t>(s) * slot_bytes, values.as<char>() + static_cast<size_t>(s) * slot_bytes,
                        capacity};
      rows.push_back({slot, s * c.rows, c.rows, c.context});
    }
    std::vector<double> seconds;
    for (int r = 0; r < rounds; ++r) {
      const double start = bench_seconds(pool);
      const float* k = qkv.data() + c.q_heads * c.head_dim;
      kv_append(compute, shape, k, k + c.kv_heads * c.head_dim, width, rows.data(), c.sequences);
      attention(compute, shape, qkv.data(), width, rows.data(), c.sequences, out.data(), DType::bfloat16);
      seconds.push_back(bench_seconds(pool) - start);
    }
    std::sort(seconds.begin(), seconds.end());
    const double best = seconds[pool.size() == 1 ? seconds.size() / 2 : 0];
    const double weights = static_cast<double>(c.hidden) * static_cast<double>(width + c.hidden + 8 * c.hidden);
    const double products = std::max(weights * 2 / 1e9 / limits.read_gb_s, weights * 2 * static_cast<double>(m) / 1e9 / rate);
    std::printf(
        "{\"model\": \"%s\", \"isa\": \"%s\", \"threads\": %d, \"sequences\": %ld, \"rows\": %ld, \"context\": %ld, \"ms\": %.3f, "
        "\"products_at_limit_ms\": %.3f, \"share\": %.3f}\n",
        c.model, isa_name(compute.isa), pool.size(), static_cast<long>(c.sequences), static_cast<long>(c.rows),
        static_cast<long>(c.context), best * 1e3, products * 1e3, best / products);
    std::fflush(stdout);
  }
}
