#pragma once
// The engine's own loop over a CUDA backend in emulation, and over the CPU: what the tests of this folder compare.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "cpu/backend/cpu_backend.h"
#include "cpu/backend/cpu_weight_sink.h"
#include "cpu/isa.h"
#include "cuda/cuda_backend.h"
#include "engine/batch_runner.h"
#include "engine/check_request.h"
#include "test/support/tiny_engine.h"

namespace eyrie::test {

/// 40B form with heads that the CUDA kernels have. 2 groups of 2 heads of 64.
inline FalconConfig card_config() {
  FalconConfig config = tiny_config();
  config.hidden_size = 256;
  config.query_heads = 4;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.ffn_size = 160;
  config.context_tokens = 1024;
  return config;
}

/// One norm a layer, one key head.
inline FalconConfig card_7b_config() {
  FalconConfig config = card_config();
  config.hidden_size = 192;
  config.query_heads = 3;
  config.kv_heads = 1;
  config.norms_per_layer = 1;
  return config;
}

struct Loop {
  uint32_t slots = 4;
  uint32_t slot_tokens = 512;
  uint32_t prefill_tokens = 128;
  uint32_t kv_pages = 0;
  bool graphs = true;
  cuda::LayerFormats format = cuda::RowFormat::bf16;
};

inline EngineOptions engine_options(const FalconConfig& config, const Loop& loop) {
  EngineOptions options = tiny_options(config);
  options.slots = loop.slots;
  options.slot_tokens = loop.slot_tokens;
  options.prefill_tokens = loop.prefill_tokens;
  options.threads = 1;
  return options;
}

inline cuda::CudaBackendOptions card_options(const FalconConfig& config, const Loop& loop) {
  cuda::CudaBackendOptions options;
  options.config = config;
  options.format = loop.format;
  options.slots = loop.slots;
  options.slot_tokens = loop.slot_tokens;
  options.rows_max = pass_rows_max(loop.slots, loop.prefill_tokens);
  options.kv_pages = loop.kv_pages;
  options.stop_token_ids = {kTinyEnd};
  options.graphs = loop.graphs;
  return options;
}

inline std::unique_ptr<cuda::CudaBackend> open_card(const std::string& folder, const FalconConfig& config, const Loop& loop) {
  auto backend = std::make_unique<cuda::CudaBackend>(std::make_shared<cuda::Device>(), card_options(config, loop));
  const auto sink = backend->weights().sink(backend->stream());
  load_falcon(folder, config, *sink, kNoProgress, kNotCancelled);
  return backend;
}

inline std::unique_ptr<Backend> open_cpu(const std::string& folder, const FalconConfig& config, const Loop& loop, ThreadPool& pool,
                                         DType dtype) {
  const Compute compute = make_compute(pool, resolve_isa("auto"));
  auto weights = load_cpu_weights(folder, config, dtype, compute, kNoProgress, kNotCancelled);
  return std::make_unique<CpuBackend>(
      config, dtype, std::move(weights), compute,
      BatchShape{loop.slots, loop.slot_tokens, pass_rows_max(loop.slots, loop.prefill_tokens), head_rows_max(loop.slots)});
}

using Outcomes = std::map<uint64_t, Outcome>;

/// Runs all requests, given in an order that the seed decides, until each has ended.
inline Outcomes run_requests(std::unique_ptr<Backend> backend, const EngineOptions& options, const std::vector<Request>& requests,
                             uint32_t order_seed = 1) {
  ThreadPool pool(1, false);
  BatchRunner runner(options, std::move(backend), pool);
  std::vector<uint64_t> order(requests.size());
  for (uint64_t id = 0; id < order.size(); ++id) order[id] = id;
  std::shuffle(order.begin(), order.end(), std::mt19937(order_seed));
  for (const uint64_t id : order) {
    check_request(requests[id], options, runner.backend().info());
    runner.add(std::make_unique<Sequence>(id, requests[id], options, false));
  }
  Outcomes ended;
  std::vector<Outcome> outcomes;
  std::vector<TokenNews> news;
  while (runner.has_work()) {
    runner.step(outcomes, news);
    for (Outcome& outcome : outcomes) ended[outcome.id] = std::move(outcome);
    outcomes.clear();
    news.clear();
  }
  return ended;
}

inline Outcomes run_on_card(const std::string& folder, const FalconConfig& config, const Loop& loop, const std::vector<Request>& requests,
                            uint32_t order_seed = 1) {
  return run_requests(open_card(folder, config, loop), engine_options(config, loop), requests, order_seed);
}

inline Outcomes run_on_cpu(const std::string& folder, const FalconConfig& config, const Loop& loop, const std::vector<Request>& requests,
                           DType dtype = DType::bfloat16) {
  ThreadPool pool(1, false);
  return run_requests(open_cpu(folder, config, loop, pool, dtype), engine_options(config, loop), requests);
}

inline void expect_equal_results(const Result& got, const Result& expected, uint64_t id) {
  EXPECT_EQ(got.token_ids, expected.token_ids) << "sequence " << id;
  EXPECT_EQ(got.text_bytes, expected.text_bytes) << "sequence " << id;
  EXPECT_EQ(got.finish_reason, expected.finish_reason) << "sequence " << id;
  EXPECT_EQ(got.logprobs, expected.logprobs) << "sequence " << id;
  EXPECT_EQ(got.top_ids, expected.top_ids) << "sequence " << id;
  EXPECT_EQ(got.top_logprobs, expected.top_logprobs) << "sequence " << id;
  ASSERT_EQ(got.prompt_logprobs.size(), expected.prompt_logprobs.size()) << "sequence " << id;
  for (size_t i = 1; i < expected.prompt_logprobs.size(); ++i) {
    EXPECT_EQ(got.prompt_logprobs[i], expected.prompt_logprobs[i]) << "sequence " << id << ", position " << i;
  }
}

inline Request card_request(std::mt19937& random, const FalconConfig& config, size_t prompt_tokens) {
  Request request;
  for (size_t i = 0; i < prompt_tokens; ++i) request.prompt_ids.push_back(12 + random() % (config.vocab_size - 12));
  request.max_tokens = 1 + random() % 8;
  request.temperature = random() % 2 == 0 ? 0 : 0.9f;
  request.seed = random();
  request.ignore_eos = random() % 2 == 0;
  if (random() % 3 == 0) request.stop = {"ab", "q"};
  if (random() % 3 == 0) request.repetition_penalty = 1.2f;
  request.logprobs = static_cast<int32_t>(random() % 4) - 1;
  request.prompt_logprobs = random() % 4 == 0;
  return request;
}

}  // namespace eyrie::test
