// What a grammar does to the tokens of a sequence, with grammars made by hand: no library, no model.

#include "engine/grammar_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/isa.h"
#include "engine/check_request.h"
#include "engine/token_step.h"
#include "test/support/expect_error.h"
#include "test/support/tiny_checkpoint.h"
#include "threads/thread_pool.h"

namespace eyrie::test {
namespace {

constexpr uint32_t kEnd = 11;

/// Tokens allowed at each step, and then nothing more.
class ListedGrammar final : public Grammar {
 public:
  explicit ListedGrammar(std::vector<std::vector<uint32_t>> steps, uint32_t vocab = 97) : steps_(std::move(steps)), vocab_(vocab) {}

  std::unique_ptr<GrammarMatcher> start() const override { return std::make_unique<Matcher>(steps_); }
  uint32_t vocab_size() const override { return vocab_; }
  uint32_t end_token_id() const override { return kEnd; }

 private:
  class Matcher final : public GrammarMatcher {
   public:
    explicit Matcher(const std::vector<std::vector<uint32_t>>& steps) : steps_(steps) {}
    void allowed_tokens(std::span<uint32_t> words) override {
      std::fill(words.begin(), words.end(), 0u);
      if (steps_[step_].empty()) throw Error(ErrorCode::invalid_request, "too much effort");
      for (const uint32_t id : steps_[step_]) words[id / 32] |= 1u << id % 32;
    }
    bool accept(uint32_t token) override {
      EXPECT_NE(token, kEnd);
      return ++step_ == steps_.size();
    }

   private:
    const std::vector<std::vector<uint32_t>>& steps_;
    size_t step_ = 0;
  };

  std::vector<std::vector<uint32_t>> steps_;
  uint32_t vocab_;
};

class GrammarStep : public ::testing::Test {
 protected:
  GrammarStep() : pool_(1, false), compute_(make_compute(pool_, resolve_isa("auto"))) {
    options_.config = tiny_config();
    options_.slot_tokens = options_.config.context_tokens;
    options_.stop_token_ids = {kEnd, 12};
    for (uint32_t id = 0; id < options_.config.vocab_size; ++id) {
      options_.token_bytes += static_cast<char>('a' + id % 26);
      options_.token_byte_ends.push_back(id + 1);
    }
    request_.prompt_ids = {20};
    request_.max_tokens = 8;
    request_.temperature = 0;
    // By itself the model wants token 90, then the end token, then 50, then the rest.
    logits_.assign(options_.config.vocab_size, 0.0f);
    logits_[90] = 9;
    logits_[kEnd] = 8;
    logits_[50] = 7;
  }

  Request with(std::vector<std::vector<uint32_t>> steps) {
    Request request = request_;
    request.grammar = std::make_shared<ListedGrammar>(std::move(steps));
    return request;
  }

  Result generate(const Request& request) {
    check_request(request, options_);
    Sequence sequence(1, request, options_, false);
    TokenHistory history(options_.config.vocab_size);
    TokenScratch scratch;
    while (!sequence.ended) {
      std::vector<float> logits = logits_;
      generate_token(sequence, logits, history, options_, compute_, scratch);
    }
    return std::move(sequence.result);
  }

  ThreadPool pool_;
  Compute compute_;
  EngineOptions options_;
  Request request_;
  std::vector<float> logits_;
};

using Ids = std::vector<uint32_t>;

TEST_F(GrammarStep, TakesTheBestOfTheAllowedTokens) {
  const Result result = generate(with({{3, 50}, {7, 3}, {60, 50}}));
  EXPECT_EQ(result.token_ids, (Ids{50, 3, 50}));
  EXPECT_EQ(result.text_bytes, "ydy");
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
}

TEST_F(GrammarStep, EndsWithTheEndTokenWhereMoreWouldBePossible) {
  const Result result = generate(with({{50}, {kEnd, 50}, {50}}));
  EXPECT_EQ(result.token_ids, (Ids{50, kEnd}));
  EXPECT_EQ(result.text_bytes, "y");
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
}

TEST_F(GrammarStep, IsCutAtMaxTokens) {
  Request request = with({{50}, {50}, {50}});
  request.max_tokens = 2;
  EXPECT_EQ(generate(request).finish_reason, FinishReason::length);
  // Complete with the last token that was allowed: nothing is missing.
  request.max_tokens = 3;
  EXPECT_EQ(generate(request).finish_reason, FinishReason::stop);
}

TEST_F(GrammarStep, GoesOnUnderMinTokensAndIgnoreEosAsLongAsTheGrammarCan) {
  Request request = with({{50}, {kEnd, 50}, {kEnd, 50}, {kEnd, 3}, {kEnd}});
  request.min_tokens = 3;
  EXPECT_EQ(generate(request).token_ids, (Ids{50, 50, 50, kEnd}));
  request.ignore_eos = true;
  EXPECT_EQ(generate(request).token_ids, (Ids{50, 50, 50, 3, kEnd}));
  request = with({{50}, {3}});
  request.min_tokens = 8;
  request.ignore_eos = true;
  const Result result = generate(request);
  EXPECT_EQ(result.token_ids, (Ids{50, 3}));
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
}

TEST_F(GrammarStep, NeverTakesAnotherEndToken) {
  logits_[12] = 99;
  EXPECT_EQ(generate(with({{12, 50}, {12, 3}})).token_ids, (Ids{50, 3}));
}

TEST_F(GrammarStep, StopsAtAStopStringToo) {
  Request request = with({{50}, {3}, {4}, {5}});
  request.stop = {"de"};
  const Result result = generate(request);
  EXPECT_EQ(result.token_ids, (Ids{50, 3, 4}));
  EXPECT_EQ(result.text_bytes, "y");
  EXPECT_EQ(result.finish_reason, FinishReason::stop);
}

TEST_F(GrammarStep, LeavesLogProbabilitiesRaw) {
  Request request = with({{3}});
  request.logprobs = 2;
  const Result result = generate(request);
  double sum = 0;
  for (const float logit : logits_) sum += std::exp(logit);
  EXPECT_NEAR(result.logprobs.at(0), -std::log(sum), 1e-4);
  EXPECT_EQ(result.top_ids, (Ids{90, kEnd}));
}

TEST_F(GrammarStep, BiasAndSamplingActWithinTheAllowedTokens) {
  Request request = with(std::vector<std::vector<uint32_t>>(6, Ids{3, 4, 5}));
  request.logit_bias_ids = {4, 90};
  request.logit_bias_values = {2, 100};
  EXPECT_EQ(generate(request).token_ids, Ids(6, 4));
  request.temperature = 1;
  Ids seen;
  for (uint64_t seed = 0; seed < 50; ++seed) {
    request.seed = seed;
    request.top_k = seed % 2 == 0 ? 0 : 2;
    request.top_p = seed % 3 == 0 ? 1 : 0.9f;
    for (const uint32_t id : generate(request).token_ids) {
      ASSERT_TRUE(id >= 3 && id <= 5) << id;
      seen.push_back(id);
    }
  }
  for (const uint32_t id : {3, 4, 5}) EXPECT_GT(std::count(seen.begin(), seen.end(), id), 0);
}

TEST_F(GrammarStep, FailsOnNaNEvenWhereTheMaskCoversIt) {
  logits_[77] = std::numeric_limits<float>::quiet_NaN();
  expect_error(ErrorCode::numeric_error, "NaN", [&] { generate(with({{3}})); });
  Request request = with({{3}});
  request.logprobs = 0;
  expect_error(ErrorCode::numeric_error, "NaN", [&] { generate(request); });
}

TEST_F(GrammarStep, FailsWithTheGrammar) {
  expect_error(ErrorCode::invalid_request, "effort", [&] { generate(with({{3}, {}})); });
  Request request = request_;
  request.grammar = std::make_shared<ListedGrammar>(std::vector<std::vector<uint32_t>>{{3}}, 98);
  expect_error(ErrorCode::invalid_request, "98", [&] { check_request(request, options_); });
}

}  // namespace
}  // namespace eyrie::test
