// Time to sample one row of logits, per way of sampling.
//
//   lab_sampling_bench [isa=auto] [vocab=65024] [rows=64]     one JSON line per case: the best of several rounds

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "cpu/sampler/log_softmax.h"
#include "cpu/sampler/sample.h"
#include "sampling/philox.h"

namespace {

using namespace eyrie;

struct Case {
  const char* name;
  float temperature = 0.8f;
  int32_t top_k = 0;
  float top_p = 1.0f;
  float min_p = 0.0f;
  bool logprobs = false;
};
constexpr Case kCases[] = {
    {"greedy", 0.0f},    {"temperature", 0.8f},           {"top_p", 0.8f, 0, 0.9f},        {"top_p flat", 4.0f, 0, 0.99f},
    {"top_k", 0.8f, 50}, {"top_k top_p", 0.8f, 50, 0.9f}, {"min_p", 0.8f, 0, 1.0f, 0.05f}, {"top_logprobs", 0.8f, 0, 1.0f, 0.0f, true},
};

// Roughly normal, as logits of a vocabulary are, with a few far above.
std::vector<float> random_logits(int64_t vocab, uint64_t row) {
  std::vector<float> z(static_cast<size_t>(vocab));
  for (int64_t i = 0; i < vocab; ++i) {
    float sum = 0;
    for (uint64_t j = 0; j < 4; ++j) sum += philox_uniform(row, j, static_cast<uint64_t>(i)) - 0.5f;
    z[static_cast<size_t>(i)] = sum * 4.0f + (i % 1009 == 7 ? sum * 4.0f : 0.0f);
  }
  return z;
}

}  // namespace

int main(int argc, char** argv) {
  ThreadPool pool(1);
  const Compute compute = make_compute(pool, resolve_isa(argc > 1 ? argv[1] : "auto"));
  const int64_t vocab = argc > 2 ? std::atoll(argv[2]) : 65024;
  const uint64_t rows = argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 64;
  std::vector<std::vector<float>> logits;
  for (uint64_t row = 0; row < rows; ++row) logits.push_back(random_logits(vocab, row));
  const TokenHistory history(vocab);
  SampleScratch scratch;
  std::vector<float> z;
  for (const Case& c : kCases) {
    SamplingParams params;
    params.temperature = c.temperature;
    params.top_k = c.top_k;
    params.top_p = c.top_p;
    params.min_p = c.min_p;
    double best = 1e9;
    int64_t sum = 0;  // so that nothing is optimised away
    for (int round = 0; round < 12; ++round) {
      double seconds = 0;
      for (uint64_t row = 0; row < rows; ++row) {
        z = logits[row];
        params.request = row;
        const auto start = std::chrono::steady_clock::now();
        sum += c.logprobs ? top_logprobs(compute, z.data(), vocab, 5).ids[0]
                          : sample(compute, z.data(), vocab, params, history, nullptr, scratch);
        seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      }
      best = std::min(best, seconds);
    }
    std::printf("{\"case\":\"%s\",\"isa\":\"%s\",\"vocab\":%lld,\"us_per_row\":%.2f,\"sum\":%lld}\n", c.name, isa_name(compute.isa),
                static_cast<long long>(vocab), best / static_cast<double>(rows) * 1e6, static_cast<long long>(sum));
  }
}
