#pragma once
// Scores of texts by a whole model, through the engine's own loop, and how they are compared with those of its layers.

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/batch_runner.h"
#include "engine/score_layers.h"

namespace eyrie::test {

/// Texts of the given lengths that share no beginning.
inline std::vector<std::vector<uint32_t>> random_texts(const std::vector<size_t>& lengths, uint32_t vocab, uint32_t seed = 5) {
  std::mt19937 random(seed);
  std::vector<std::vector<uint32_t>> texts;
  for (const size_t length : lengths) {
    std::vector<uint32_t>& text = texts.emplace_back();
    for (size_t i = 0; i < length; ++i) text.push_back(random() % vocab);
  }
  return texts;
}

inline std::vector<TextScore> score_whole(std::unique_ptr<Backend> backend, const EngineOptions& options,
                                          const std::vector<std::vector<uint32_t>>& texts) {
  ThreadPool pool(1, false);
  BatchRunner runner(options, std::move(backend), pool);
  for (size_t id = 0; id < texts.size(); ++id) {
    Request request;
    request.prompt_ids = texts[id];
    request.temperature = 0;
    request.logprobs = 1;
    request.prompt_logprobs = true;
    runner.add(std::make_unique<Sequence>(id, request, options, false));
  }
  std::vector<TextScore> scores(texts.size());
  std::vector<Outcome> outcomes;
  std::vector<TokenNews> news;
  while (runner.has_work()) {
    runner.step(outcomes, news);
    for (const Outcome& outcome : outcomes) {
      EXPECT_FALSE(outcome.failure) << outcome.failure->message;
      scores[outcome.id] = {outcome.result.prompt_logprobs, outcome.result.prompt_top_ids};
    }
    outcomes.clear();
  }
  return scores;
}

/// Bit by bit, the first token of each text left out.
inline void expect_equal_scores(const std::vector<TextScore>& got, const std::vector<TextScore>& expected, const std::string& what) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t text = 0; text < expected.size(); ++text) {
    const size_t tokens = expected[text].chosen.size();
    ASSERT_EQ(got[text].chosen.size(), tokens) << what;
    ASSERT_EQ(got[text].best.size(), tokens) << what;
    EXPECT_TRUE(got[text].chosen[0] != got[text].chosen[0]) << what;
    for (size_t i = 1; i < tokens; ++i) {
      ASSERT_EQ(std::memcmp(&got[text].chosen[i], &expected[text].chosen[i], sizeof(float)), 0)
          << what << ", text " << text << ", token " << i << ": " << got[text].chosen[i] << ", not " << expected[text].chosen[i];
      ASSERT_EQ(got[text].best[i], expected[text].best[i]) << what << ", text " << text << ", token " << i;
    }
  }
}

}  // namespace eyrie::test
