#pragma once
// A grammar made by hand: no library, no model.

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/grammar.h"
#include "error.h"

namespace eyrie::test {

/// Tokens allowed at each step, and then nothing more. An empty step takes too much effort.
class ListedGrammar final : public Grammar {
 public:
  ListedGrammar(std::vector<std::vector<uint32_t>> steps, uint32_t vocab, uint32_t end_token)
      : steps_(std::move(steps)), vocab_(vocab), end_token_(end_token) {}

  std::unique_ptr<GrammarMatcher> start() const override { return std::make_unique<Matcher>(*this); }
  uint32_t vocab_size() const override { return vocab_; }
  uint32_t end_token_id() const override { return end_token_; }

 private:
  class Matcher final : public GrammarMatcher {
   public:
    explicit Matcher(const ListedGrammar& grammar) : grammar_(grammar) {}
    void allowed_tokens(std::span<uint32_t> words) override {
      std::fill(words.begin(), words.end(), 0u);
      if (grammar_.steps_[step_].empty()) throw Error(ErrorCode::invalid_request, "too much effort");
      for (const uint32_t id : grammar_.steps_[step_]) words[id / 32] |= 1u << id % 32;
    }
    bool accept(uint32_t token) override {
      EXPECT_NE(token, grammar_.end_token_);
      const std::vector<uint32_t>& step = grammar_.steps_[step_];
      EXPECT_NE(std::find(step.begin(), step.end(), token), step.end()) << "token " << token << " at step " << step_;
      return ++step_ == grammar_.steps_.size();
    }

   private:
    const ListedGrammar& grammar_;
    size_t step_ = 0;
  };

  std::vector<std::vector<uint32_t>> steps_;
  uint32_t vocab_;
  uint32_t end_token_;
};

}  // namespace eyrie::test
