// The engine with its thread, over tiny checkpoints: results depend on the request alone, and no end is awkward.

#include "engine/engine.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <random>

#include "test/support/expect_error.h"
#include "test/support/tiny_engine.h"

namespace eyrie::test {
namespace {

EngineOptions cpu_options(const std::string& folder, const FalconConfig& config = tiny_config()) {
  EngineOptions options = tiny_options(config);
  options.model_directory = folder;
  options.dtype = DType::float32;
  options.isa = resolve_isa("auto");
  options.threads = 2;
  return options;
}

/// Collects outcomes; a caller waits for as many as it submitted.
class Collector {
 public:
  EngineEvents events() {
    return {[this](std::vector<Outcome>&& outcomes) {
              const std::lock_guard lock(mutex_);
              ended_ += outcomes.size();
              for (Outcome& outcome : outcomes) outcomes_[outcome.id] = std::move(outcome);
              changed_.notify_all();
            },
            [this](std::vector<TokenNews>&& news) {
              const std::lock_guard lock(mutex_);
              for (TokenNews& one : news) news_.push_back(std::move(one));
            },
            [this] {
              const std::lock_guard lock(mutex_);
              closed_ = true;
              changed_.notify_all();
            }};
  }
  std::map<uint64_t, Outcome> wait(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return outcomes_.size() >= count; });
    return std::move(outcomes_);
  }
  /// How many requests have ended so far.
  size_t ended() {
    const std::lock_guard lock(mutex_);
    return ended_;
  }
  std::vector<TokenNews> take_news() {
    const std::lock_guard lock(mutex_);
    return std::exchange(news_, {});
  }
  void wait_closed() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return closed_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<uint64_t, Outcome> outcomes_;
  std::vector<TokenNews> news_;
  size_t ended_ = 0;
  bool closed_ = false;
};

Request tiny_request(std::mt19937& random, size_t prompt_tokens) {
  Request request;
  for (size_t i = 0; i < prompt_tokens; ++i) request.prompt_ids.push_back(12 + random() % 85);
  request.max_tokens = 1 + random() % 20;
  request.temperature = random() % 2 == 0 ? 0 : 0.9f;
  request.seed = random();
  request.ignore_eos = random() % 2 == 0;
  if (random() % 3 == 0) request.stop = {"ab", "q"};
  if (random() % 3 == 0) request.repetition_penalty = 1.2f;
  request.logprobs = static_cast<int32_t>(random() % 4) - 1;
  request.prompt_logprobs = random() % 4 == 0;
  return request;
}

class EveryForm : public ::testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  EveryForm() { write_checkpoint(folder_, config()); }
  FalconConfig config() const {
    const std::string form = std::get<0>(GetParam());
    return form == "40b" ? tiny_config() : form == "7b" ? tiny_7b_config() : tiny_rw_config();
  }
  EngineOptions options() const {
    EngineOptions options = cpu_options(folder_.path(), config());
    options.dtype = std::get<1>(GetParam());
    return options;
  }
  std::map<uint64_t, Outcome> run(const EngineOptions& options, const std::vector<Request>& requests, uint32_t order_seed) {
    Collector collector;
    const auto engine = Engine::open(options, collector.events(), kNoProgress, kNotCancelled);
    std::vector<uint64_t> order(requests.size());
    for (uint64_t id = 0; id < order.size(); ++id) order[id] = id;
    std::shuffle(order.begin(), order.end(), std::mt19937(order_seed));
    for (const uint64_t id : order) engine->submit(id, requests[id]);
    return collector.wait(requests.size());
  }

  TemporaryFolder folder_;
};

TEST_P(EveryForm, GivesTheSameBytesInAnyCompany) {
  std::mt19937 random(1);
  std::vector<Request> requests;
  for (const size_t length : {1, 2, 31, 32, 33, 63, 64, 65, 100, 128, 129, 200, 64, 65, 1, 17}) {
    requests.push_back(tiny_request(random, length));
  }
  EngineOptions alone = options();
  alone.slots = 1;
  alone.threads = 1;
  auto expected = run(alone, requests, 1);
  for (const uint32_t slots : {3u, 16u}) {
    EngineOptions crowded = options();
    crowded.slots = slots;
    crowded.prefill_tokens = slots * 16;
    auto got = run(crowded, requests, slots);
    for (auto& [id, outcome] : expected) {
      ASSERT_FALSE(outcome.failure);
      EXPECT_EQ(got[id].result.token_ids, outcome.result.token_ids) << id;
      EXPECT_EQ(got[id].result.text_bytes, outcome.result.text_bytes) << id;
      EXPECT_EQ(got[id].result.finish_reason, outcome.result.finish_reason) << id;
      EXPECT_EQ(got[id].result.logprobs, outcome.result.logprobs) << id;
      EXPECT_EQ(got[id].result.top_ids, outcome.result.top_ids) << id;
      const auto& scored = outcome.result.prompt_logprobs;
      ASSERT_EQ(got[id].result.prompt_logprobs.size(), scored.size());
      for (size_t i = 1; i < scored.size(); ++i) EXPECT_EQ(got[id].result.prompt_logprobs[i], scored[i]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, EveryForm,
                         ::testing::Combine(::testing::Values("40b", "7b", "rw"),
                                            ::testing::Values(DType::float32, DType::bfloat16, DType::int8)),
                         [](const auto& test) {
                           return std::string("Form") + std::get<0>(test.param) + "In" + dtype_name(std::get<1>(test.param));
                         });

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { write_checkpoint(folder_, tiny_config()); }
  Request endless() const {
    Request request;
    request.prompt_ids = {20, 30, 40};
    request.max_tokens = 400;
    request.temperature = 0;
    request.ignore_eos = true;
    return request;
  }

  TemporaryFolder folder_;
  Collector collector_;
};

TEST_F(EngineTest, EndsLiveRequestsWhenItCloses) {
  const auto engine = Engine::open(cpu_options(folder_.path()), collector_.events(), kNoProgress, kNotCancelled);
  for (uint64_t id = 0; id < 10; ++id) engine->submit(id, endless());
  engine->request_close();
  engine->request_close();
  for (const auto& [id, outcome] : collector_.wait(10)) {
    ASSERT_TRUE(outcome.failure);
    EXPECT_EQ(outcome.failure->code, ErrorCode::engine_closed);
  }
  collector_.wait_closed();
  expect_error(ErrorCode::engine_closed, "closed", [&] { engine->submit(1, endless()); });
  engine->cancel(1);
}

TEST_F(EngineTest, IsDestroyedWhileBusy) {
  for (int round = 0; round < 20; ++round) {
    const auto engine = Engine::open(cpu_options(folder_.path()), collector_.events(), kNoProgress, kNotCancelled);
    for (uint64_t id = 0; id < 10; ++id) engine->submit(id, endless());
    if (round % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(round));
  }
  SUCCEED();
}

TEST_F(EngineTest, CancelsRunningAndWaitingRequests) {
  EngineOptions options = cpu_options(folder_.path());
  options.slots = 2;
  const auto engine = Engine::open(options, collector_.events(), kNoProgress, kNotCancelled);
  for (uint64_t id = 0; id < 6; ++id) engine->submit(id, endless());
  for (const uint64_t id : {0, 2, 4, 99}) engine->cancel(id);
  for (const auto& [id, outcome] : collector_.wait(6)) {
    ASSERT_FALSE(outcome.failure);
    EXPECT_EQ(outcome.result.finish_reason, id % 2 == 0 ? FinishReason::cancelled : FinishReason::length);
    EXPECT_EQ(outcome.result.token_ids.size() == 400, id % 2 == 1);
  }
}

TEST_F(EngineTest, TellsTheTokensOfAWatchedRequestAsTheyCome) {
  const auto engine = Engine::open(cpu_options(folder_.path()), collector_.events(), kNoProgress, kNotCancelled);
  Request request = endless();
  request.max_tokens = 30;
  request.logprobs = 2;
  engine->submit(1, request, true);
  engine->submit(2, request);
  const auto outcomes = collector_.wait(2);
  const Result& whole = outcomes.at(1).result;
  TokenNews joined;
  for (const TokenNews& news : collector_.take_news()) {
    ASSERT_EQ(news.id, 1u);
    ASSERT_EQ(news.token_ids.size(), 1u);
    joined.token_ids.insert(joined.token_ids.end(), news.token_ids.begin(), news.token_ids.end());
    joined.logprobs.insert(joined.logprobs.end(), news.logprobs.begin(), news.logprobs.end());
    joined.top_ids.insert(joined.top_ids.end(), news.top_ids.begin(), news.top_ids.end());
  }
  // All but the last one, which ended the sequence.
  EXPECT_EQ(joined.token_ids, std::vector<uint32_t>(whole.token_ids.begin(), whole.token_ids.end() - 1));
  EXPECT_EQ(joined.logprobs, std::vector<float>(whole.logprobs.begin(), whole.logprobs.end() - 1));
  EXPECT_EQ(joined.top_ids, std::vector<uint32_t>(whole.top_ids.begin(), whole.top_ids.end() - 2));
  EXPECT_EQ(whole.token_ids, outcomes.at(2).result.token_ids);
}

TEST_F(EngineTest, GivesAnUrgentRequestTheNextFreeSlot) {
  EngineOptions options = cpu_options(folder_.path());
  options.slots = 2;
  const auto engine = Engine::open(options, collector_.events(), kNoProgress, kNotCancelled);
  for (uint64_t id = 0; id < 40; ++id) engine->submit(id, endless());
  Request request = endless();
  request.max_tokens = 5;
  engine->submit(100, request);
  request.urgent = true;
  engine->submit(101, request);
  const size_t ended_before = collector_.ended();
  // The two that hold the slots may end before it or with it, and one that follows; the patient twin, the shortest, ends last.
  auto outcomes = collector_.wait(1);
  while (!outcomes.contains(101)) outcomes = collector_.wait(1);
  EXPECT_LE(collector_.ended(), ended_before + 5);
  EXPECT_FALSE(outcomes.contains(100));
  EXPECT_EQ(outcomes.at(101).result.token_ids.size(), 5u);
}

TEST_F(EngineTest, StopsLoadingWhenTold) {
  const std::atomic<bool> cancelled{true};
  expect_error(ErrorCode::engine_closed, "loading",
               [&] { Engine::open(cpu_options(folder_.path()), collector_.events(), kNoProgress, cancelled); });
}

TEST_F(EngineTest, EndsOnlyTheSequenceWhoseLogitsAreNaN) {
  // Token 96 has an embedding so large that the norm's variance overflows: its row is NaN. The head is another matrix.
  FalconConfig config = tiny_config();
  config.tied_head = false;
  FloatTensors tensors = tiny_tensors(config);
  auto& embedding = tensors["transformer.word_embeddings.weight"].values;
  std::fill(embedding.end() - 48, embedding.end(), 3e38f);
  embedding.back() = -3e38f;
  folder_.write("model.safetensors", safetensors_bytes(tensors));
  const auto engine = Engine::open(cpu_options(folder_.path(), config), collector_.events(), kNoProgress, kNotCancelled);
  for (uint64_t id = 0; id < 6; ++id) {
    Request request = endless();
    request.max_tokens = 5;
    request.logit_bias_ids = {96};
    request.logit_bias_values = {-1e6f};
    if (id % 2 == 0) request.prompt_ids.push_back(96);
    request.prompt_logprobs = id == 2;
    engine->submit(id, request);
  }
  for (const auto& [id, outcome] : collector_.wait(6)) {
    ASSERT_EQ(outcome.failure.has_value(), id % 2 == 0) << id;
    if (outcome.failure) {
      EXPECT_EQ(outcome.failure->code, ErrorCode::numeric_error);
    }
  }
}

TEST_F(EngineTest, CountsWhatItDid) {
  const auto engine = Engine::open(cpu_options(folder_.path()), collector_.events(), kNoProgress, kNotCancelled);
  EXPECT_GT(engine->info().backend.weight_bytes, 0u);
  EXPECT_GT(engine->info().backend.kv_cache_bytes, 0u);
  Request request = endless();
  request.max_tokens = 7;
  for (uint64_t id = 0; id < 5; ++id) engine->submit(id, request);
  collector_.wait(5);
  engine->request_close();
  collector_.wait_closed();
  const EngineReport report = engine->report();
  EXPECT_EQ(report.prompt_tokens, 15u);
  EXPECT_EQ(report.generated_tokens, 35u);
  EXPECT_EQ(report.overrun_tokens, 0u);
}

}  // namespace
}  // namespace eyrie::test
