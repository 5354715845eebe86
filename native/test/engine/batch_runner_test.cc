// The runner over a scripted device, with and without lookahead: what comes out depends on the requests alone, and the device's rules
// are kept (scripted_backend.h checks them).

#include "engine/batch_runner.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "engine/check_request.h"
#include "test/engine/scripted_backend.h"
#include "test/support/expect_error.h"
#include "test/support/listed_grammar.h"

namespace eyrie::test {
namespace {

constexpr uint32_t kEnd = 11;
constexpr uint32_t kVocab = 29;

struct Ended {
  std::map<uint64_t, Outcome> outcomes;
  std::map<uint64_t, std::vector<uint32_t>> news;
  EngineReport report;
};

class Runner {
 public:
  explicit Runner(const ScriptedBackend::Options& backend, uint32_t prefill_tokens = 64) : pool_(2, false) {
    options_.config.vocab_size = kVocab;
    options_.slot_tokens = 4096;
    options_.slots = backend.slots;
    options_.prefill_tokens = prefill_tokens;
    options_.stop_token_ids = {kEnd};
    for (uint32_t id = 0; id < kVocab; ++id) {
      options_.token_bytes += static_cast<char>(id < 26 ? 'a' + id : 'A' + id - 26);
      options_.token_byte_ends.push_back(id + 1);
    }
    auto owned = std::make_unique<ScriptedBackend>(backend);
    device_ = owned.get();
    runner_ = std::make_unique<BatchRunner>(options_, std::move(owned), pool_);
  }

  void add(uint64_t id, const Request& request, bool watched = false) {
    check_request(request, options_, device_->info());
    runner_->add(std::make_unique<Sequence>(id, request, options_, watched));
  }
  void step() {
    std::vector<Outcome> outcomes;
    std::vector<TokenNews> news;
    runner_->step(outcomes, news);
    keep(outcomes, news);
  }
  Ended& finish() {
    while (runner_->has_work()) step();
    run_.report = runner_->report();
    return run_;
  }
  void keep(std::vector<Outcome>& outcomes, const std::vector<TokenNews>& news) {
    for (const TokenNews& one : news) {
      EXPECT_FALSE(run_.outcomes.contains(one.id)) << "news after the outcome";
      auto& told = run_.news[one.id];
      told.insert(told.end(), one.token_ids.begin(), one.token_ids.end());
    }
    for (Outcome& outcome : outcomes) {
      const uint64_t id = outcome.id;
      EXPECT_TRUE(run_.outcomes.emplace(id, std::move(outcome)).second) << "two outcomes of " << id;
    }
  }
  BatchRunner& runner() { return *runner_; }
  ScriptedBackend& device() { return *device_; }
  Ended& run() { return run_; }

 private:
  ThreadPool pool_;
  EngineOptions options_;
  ScriptedBackend* device_ = nullptr;
  std::unique_ptr<BatchRunner> runner_;
  Ended run_;
};

std::shared_ptr<const Grammar> some_grammar(std::mt19937& random) {
  std::vector<std::vector<uint32_t>> steps(1 + random() % 6);
  for (auto& step : steps) {
    for (uint32_t i = 0; i < 1 + random() % 4; ++i) step.push_back(random() % kVocab);
    if (random() % 4 == 0) step.push_back(kEnd);
  }
  if (random() % 8 == 0) steps.back().clear();
  return std::make_shared<ListedGrammar>(std::move(steps), kVocab, kEnd);
}

Request some_request(std::mt19937& random) {
  Request request;
  const size_t shared = random() % 3 * 64;
  for (size_t i = 0; i < shared; ++i) request.prompt_ids.push_back(i % 7);
  for (size_t own = 1 + random() % 90; own > 0; --own) request.prompt_ids.push_back(random() % kVocab);
  request.max_tokens = 1 + random() % 40;
  request.min_tokens = random() % 3 == 0 ? random() % (request.max_tokens + 1) : 0;
  request.seed = random() % 5;
  request.ignore_eos = random() % 4 == 0;
  request.logprobs = static_cast<int32_t>(random() % 4) - 1;
  request.prompt_logprobs = random() % 5 == 0;
  if (request.prompt_logprobs && random() % 2 == 0) request.max_tokens = request.min_tokens = 0;
  if (random() % 3 == 0) request.stop = {"ab", "c"};
  if (random() % 4 == 0) request.grammar = some_grammar(random);
  request.urgent = random() % 6 == 0;
  request.group = random() % 3;
  return request;
}

std::vector<Request> some_requests(uint32_t seed, size_t count) {
  std::mt19937 random(seed);
  std::vector<Request> requests(count);
  for (Request& request : requests) request = some_request(random);
  return requests;
}

void expect_equal(const Outcome& got, const Outcome& wanted) {
  ASSERT_EQ(got.failure.has_value(), wanted.failure.has_value()) << got.id;
  if (wanted.failure) {
    EXPECT_EQ(got.failure->code, wanted.failure->code);
    EXPECT_EQ(got.failure->message, wanted.failure->message);
    return;
  }
  EXPECT_EQ(got.result.token_ids, wanted.result.token_ids) << got.id;
  EXPECT_EQ(got.result.text_bytes, wanted.result.text_bytes) << got.id;
  EXPECT_EQ(got.result.finish_reason, wanted.result.finish_reason) << got.id;
  EXPECT_EQ(got.result.logprobs, wanted.result.logprobs) << got.id;
  EXPECT_EQ(got.result.top_ids, wanted.result.top_ids) << got.id;
  EXPECT_EQ(got.result.prompt_top_ids, wanted.result.prompt_top_ids) << got.id;
  for (size_t i = 1; i < wanted.result.prompt_logprobs.size(); ++i) {
    EXPECT_EQ(got.result.prompt_logprobs[i], wanted.result.prompt_logprobs[i]) << got.id;
  }
}

ScriptedBackend::Options device(uint32_t lookahead, uint32_t slots = 4, KvBudget pages = {}) {
  ScriptedBackend::Options options;
  options.lookahead = lookahead;
  options.slots = slots;
  options.vocab = kVocab;
  options.end_token = kEnd;
  options.pages = pages;
  return options;
}

/// One after the other, each alone.
std::map<uint64_t, Outcome> alone(const std::vector<Request>& requests) {
  Runner runner(device(0, 1), 4096);
  for (uint64_t id = 0; id < requests.size(); ++id) {
    runner.add(id, requests[id]);
    runner.finish();
  }
  return std::move(runner.run().outcomes);
}

class WithLookahead : public ::testing::TestWithParam<uint32_t> {};

TEST_P(WithLookahead, GivesEachRequestWhatItGetsAlone) {
  uint32_t released = 0;
  for (uint32_t seed = 0; seed < 12; ++seed) {
    const std::vector<Request> requests = some_requests(seed, 60);
    const auto wanted = alone(requests);
    const uint32_t slots = 1 + seed % 7;
    const KvBudget pages = seed % 2 == 0 ? KvBudget{} : KvBudget{32, 10 + seed % 3};
    Runner runner(device(GetParam(), slots, pages), 16 + seed % 4 * 64);
    uint64_t id = 0;
    // Some arrive while others run.
    for (; id < 30; ++id) runner.add(id, requests[id], id % 2 == 0);
    for (; id < requests.size(); ++id) {
      runner.step();
      runner.add(id, requests[id], id % 2 == 0);
    }
    const Ended& run = runner.finish();
    ASSERT_EQ(run.outcomes.size(), requests.size());
    uint64_t tokens = 0;
    for (const auto& [key, outcome] : wanted) {
      expect_equal(run.outcomes.at(key), outcome);
      tokens += run.outcomes.at(key).result.token_ids.size();
    }
    EXPECT_EQ(run.report.generated_tokens, tokens);
    EXPECT_EQ(GetParam() == 0, run.report.overrun_tokens == 0);
    released += runner.device().released();
  }
  EXPECT_GT(released, 0u);
}

TEST_P(WithLookahead, RefusesWhatWouldNeverFindPages) {
  Runner runner(device(GetParam(), 2, {32, 3}));
  Request request;
  request.prompt_ids = {1, 2, 3, 4};
  request.max_tokens = 3 * 32 - 4;
  runner.add(1, request);
  ++request.max_tokens;
  expect_error(ErrorCode::invalid_request,
               "promptIds has 4 tokens and maxTokens is 93; together they must fit the device's memory for keys and values, 3 pages of 32 "
               "tokens",
               [&] { runner.add(2, request); });
  // A device that counts no pages has room for what its slots hold.
  Runner unpaged(device(GetParam(), 2));
  unpaged.add(1, request);
  EXPECT_EQ(runner.finish().outcomes.size(), 1u);
  EXPECT_EQ(unpaged.finish().outcomes.size(), 1u);
}

TEST_P(WithLookahead, TellsTheTokensThatDoNotEndASequence) {
  const std::vector<Request> requests = some_requests(99, 40);
  Runner runner(device(GetParam()));
  for (uint64_t id = 0; id < requests.size(); ++id) runner.add(id, requests[id], true);
  Ended& run = runner.finish();
  for (auto& [id, outcome] : run.outcomes) {
    std::vector<uint32_t> tokens = outcome.result.token_ids;
    if (outcome.failure) continue;
    if (!tokens.empty()) tokens.pop_back();
    EXPECT_EQ(run.news[id], tokens) << id;
  }
}

TEST_P(WithLookahead, CountsWhatWasComputedForNothing) {
  // The first ends by an end token, the second by its length, which is known ahead.
  Request by_token;
  by_token.prompt_ids = {1, 2, 3};
  by_token.max_tokens = 500;
  Request by_length = by_token;
  by_length.max_tokens = 7;
  by_length.ignore_eos = true;
  Runner runner(device(GetParam()));
  runner.add(1, by_token);
  runner.add(2, by_length);
  const Ended& run = runner.finish();
  ASSERT_EQ(run.outcomes.at(1).result.finish_reason, FinishReason::stop);
  ASSERT_EQ(run.outcomes.at(2).result.finish_reason, FinishReason::length);
  const uint64_t tokens = run.outcomes.at(1).result.token_ids.size() + 7;
  EXPECT_EQ(run.report.generated_tokens, tokens);
  EXPECT_EQ(run.report.overrun_tokens, GetParam());
  EXPECT_EQ(run.report.prompt_tokens, 6u);
  // Each token but the first of each sequence had a decode row.
  EXPECT_EQ(runner.device().decode_rows(), tokens - 2 + GetParam());
  EXPECT_EQ(runner.device().drawn_rows(), tokens);
}

TEST_P(WithLookahead, CancelsInFlight) {
  for (uint32_t seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    std::vector<Request> requests = some_requests(seed, 30);
    const auto wanted = alone(requests);
    Runner runner(device(GetParam(), 3, seed % 2 == 0 ? KvBudget{} : KvBudget{32, 24}));
    for (uint64_t id = 0; id < requests.size(); ++id) runner.add(id, requests[id], true);
    while (runner.runner().has_work()) {
      if (random() % 3 == 0) {
        const uint64_t id = random() % requests.size();
        const bool lives = !runner.run().outcomes.contains(id);
        runner.runner().cancel(id);
        runner.step();
        ASSERT_TRUE(!lives || runner.run().outcomes.contains(id)) << "not ended by the next step";
        continue;
      }
      runner.step();
    }
    ASSERT_EQ(runner.run().outcomes.size(), requests.size());
    for (const auto& [id, outcome] : runner.run().outcomes) {
      if (outcome.failure || outcome.result.finish_reason != FinishReason::cancelled) {
        expect_equal(outcome, wanted.at(id));
        continue;
      }
      const auto& whole = wanted.at(id).result.token_ids;
      const auto& part = outcome.result.token_ids;
      ASSERT_LE(part.size(), whole.size());
      EXPECT_TRUE(wanted.at(id).failure || std::equal(part.begin(), part.end(), whole.begin())) << id;
    }
  }
}

TEST_P(WithLookahead, EndsEverythingWhenTheDeviceFails) {
  const std::vector<Request> requests = some_requests(5, 12);
  for (uint32_t calls = 0; calls < 12; ++calls) {
    Runner runner(device(GetParam()));
    for (uint64_t id = 0; id < requests.size(); ++id) runner.add(id, requests[id]);
    runner.device().fail_after(calls);
    expect_error(ErrorCode::internal_error, "the card is gone", [&] { runner.finish(); });
    std::vector<Outcome> outcomes;
    runner.runner().fail_all({ErrorCode::internal_error, "the card is gone"}, outcomes);
    runner.keep(outcomes, {});
    EXPECT_EQ(runner.run().outcomes.size(), requests.size());
    EXPECT_FALSE(runner.runner().has_work());
  }
}

TEST_P(WithLookahead, FailsAGrammarThatTakesTooMuchEffortAlone) {
  Request request;
  request.prompt_ids = {1, 2};
  request.max_tokens = 5;
  request.ignore_eos = true;
  Runner runner(device(GetParam()));
  runner.add(1, request);
  request.grammar = std::make_shared<ListedGrammar>(std::vector<std::vector<uint32_t>>{{3}, {}}, kVocab, kEnd);
  runner.add(2, request);
  request.grammar = std::make_shared<ListedGrammar>(std::vector<std::vector<uint32_t>>{{3}, {4, 5}}, kVocab, kEnd);
  runner.add(3, request);
  const Ended& run = runner.finish();
  EXPECT_EQ(run.outcomes.at(1).result.token_ids.size(), 5u);
  ASSERT_TRUE(run.outcomes.at(2).failure);
  EXPECT_EQ(run.outcomes.at(2).failure->code, ErrorCode::invalid_request);
  EXPECT_EQ(run.outcomes.at(3).result.token_ids.size(), 2u);
  EXPECT_EQ(run.outcomes.at(3).result.token_ids.at(0), 3u);
  EXPECT_EQ(run.outcomes.at(3).result.finish_reason, FinishReason::stop);
}

INSTANTIATE_TEST_SUITE_P(Passes, WithLookahead, ::testing::Values(0u, 1u),
                         [](const auto& test) { return "Lookahead" + std::to_string(test.param); });

}  // namespace
}  // namespace eyrie::test
