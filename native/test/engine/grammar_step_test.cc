// What a grammar does to the tokens of a sequence, with grammars made by hand: no library, no model.

#include "engine/grammar_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "cpu/backend/row_drawer.h"
#include "cpu/isa.h"
#include "engine/check_request.h"
#include "engine/token_step.h"
#include "test/support/expect_error.h"
#include "test/support/listed_grammar.h"
#include "test/support/tiny_engine.h"
#include "threads/thread_pool.h"

namespace eyrie::test {
namespace {

constexpr uint32_t kEnd = 11;

class GrammarStep : public ::testing::Test {
 protected:
  GrammarStep() : pool_(1, false), compute_(make_compute(pool_, resolve_isa("auto"))) {
    options_.config = tiny_config();
    options_.slot_tokens = options_.config.context_tokens;
    options_.stop_token_ids = {kEnd, 12};
    name_tokens(options_);
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
    request.grammar = std::make_shared<ListedGrammar>(std::move(steps), options_.config.vocab_size, kEnd);
    return request;
  }

  Result generate(const Request& request) {
    check_request(request, options_);
    Sequence sequence(1, request, options_, false);
    SlotDraws slot;
    slot.sampling = sequence.sampling;
    slot.history = std::make_unique<TokenHistory>(options_.config.vocab_size);
    RowDrawer drawer;
    TopLogprobs best;
    std::vector<uint32_t> words;
    while (!sequence.ended) {
      std::vector<float> logits = logits_;
      HeadRow row;
      row.draws = true;
      row.top = request.logprobs;
      row.allowed = allowed_tokens(sequence, options_, words);
      take_token(sequence, drawer.draw(compute_, row, logits, slot, best), options_);
      if (sequence.failure) throw Error(sequence.failure->code, sequence.failure->message);
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
  request.grammar = std::make_shared<ListedGrammar>(std::vector<std::vector<uint32_t>>{{3}}, 98, kEnd);
  expect_error(ErrorCode::invalid_request, "98", [&] { check_request(request, options_); });
}

}  // namespace
}  // namespace eyrie::test
