// Scoring some layers at a time gives the whole engine's bytes, whatever the parts, and holds no more than was asked for.

#include "engine/score_layers.h"

#include <gtest/gtest.h>

#include <tuple>

#include "cpu/backend/falcon_weights.h"
#include "cpu/backend/memory_plan.h"
#include "test/support/expect_error.h"
#include "test/support/layer_scores.h"
#include "test/support/tiny_checkpoint.h"

namespace eyrie::test {
namespace {

const std::atomic<bool> kNotCancelled{false};

FalconConfig five_layers(const std::string& form) {
  FalconConfig config = form == "7b" ? tiny_7b_config() : form == "rw" ? tiny_rw_config() : tiny_config();
  config.layers = 5;
  config.tied_head = form != "untied";
  return config;
}

EngineOptions options_for(const std::string& folder, const FalconConfig& config, DType dtype) {
  EngineOptions options;
  options.model_directory = folder;
  options.config = config;
  options.dtype = dtype;
  options.isa = resolve_isa("auto");
  options.slots = 4;
  options.slot_tokens = config.context_tokens;
  options.prefill_tokens = 128;
  options.threads = 2;
  return options;
}

/// An opener that counts, and has room for `layers_max` of them.
struct SmallMemory {
  uint32_t layers_max = 1024;
  bool while_reading = false;
  std::vector<uint32_t> tried{};
  std::vector<uint64_t> weight_bytes{};  // of those that were opened

  std::function<decltype(open_backend)> opener() {
    return [this](const EngineOptions& options, ThreadPool& pool, const LoadProgress& on_progress, const std::atomic<bool>& cancelled) {
      tried.push_back(options.config.layers);
      if (options.config.layers > layers_max) {
        if (while_reading) on_progress(1, 2);
        throw Error(ErrorCode::out_of_memory, "no room");
      }
      OpenedBackend opened = open_backend(options, pool, on_progress, cancelled);
      weight_bytes.push_back(opened.backend->info().weight_bytes);
      return opened;
    };
  }
};

class ScoreLayers : public ::testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  ScoreLayers() { folder_.write("model.safetensors", safetensors_bytes(tiny_tensors(config()))); }
  FalconConfig config() const { return five_layers(std::get<0>(GetParam())); }
  EngineOptions options() const { return options_for(folder_.path(), config(), std::get<1>(GetParam())); }
  std::vector<TextScore> whole(const std::vector<std::vector<uint32_t>>& texts) const {
    ThreadPool pool(2, false);
    const EngineOptions mine = options();
    return score_whole(open_backend(mine, pool, [](uint64_t, uint64_t) {}, kNotCancelled).backend, mine, texts);
  }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Forms, ScoreLayers,
                         ::testing::Combine(::testing::Values("40b", "7b", "rw", "untied"),
                                            ::testing::Values(DType::float32, DType::bfloat16, DType::int8)),
                         [](const auto& info) { return std::string(std::get<0>(info.param)) + "_" + dtype_name(std::get<1>(info.param)); });

TEST_P(ScoreLayers, GivesTheBytesOfTheWholeModel) {
  // Cut in several passes, shorter than a pass, of a single token, more than there are slots.
  const auto texts = random_texts({300, 1, 2, 64, 65, 17, 1, 129, 130, 40, 3, 200}, config().vocab_size);
  const std::vector<TextScore> expected = whole(texts);
  for (const uint32_t layers : {1u, 2u, 3u, 5u, 0u}) {
    const LayerScores got = score_by_layers(options(), texts, {layers}, kNotCancelled);
    expect_equal_scores(got.texts, expected, std::to_string(layers) + " layers");
    EXPECT_EQ(got.layers_at_once, layers == 0 ? 5 : layers);
    EXPECT_EQ(got.readings, 1u);
  }
}

TEST_P(ScoreLayers, ReadsTheWeightsAgainForTextsBeyondTheBound) {
  const auto texts = random_texts({70, 20, 90, 5, 100}, config().vocab_size);
  ScoreSettings settings{2};
  settings.residual_bytes_max = uint64_t{100} * config().hidden_size * sizeof(float);
  const LayerScores got = score_by_layers(options(), texts, settings, kNotCancelled);
  expect_equal_scores(got.texts, whole(texts), "in pieces");
  EXPECT_EQ(got.readings, 3u);  // 70 + 20, 90 + 5, 100
  // One text always goes.
  settings.residual_bytes_max = 1;
  EXPECT_EQ(score_by_layers(options(), texts, settings, kNotCancelled).readings, 5u);
}

class ScoreLayersInShortMemory : public ::testing::Test {
 protected:
  ScoreLayersInShortMemory() { folder_.write("model.safetensors", safetensors_bytes(tiny_tensors(config_))); }
  LayerScores score(SmallMemory& memory, uint32_t layers = 0) {
    ScoreSettings settings{layers};
    settings.open = memory.opener();
    return score_by_layers(options(), texts_, settings, kNotCancelled);
  }
  EngineOptions options() const { return options_for(folder_.path(), config_, DType::bfloat16); }

  FalconConfig config_ = five_layers("40b");
  std::vector<std::vector<uint32_t>> texts_ = random_texts({30, 80}, config_.vocab_size);
  TemporaryFolder folder_;
};

TEST_F(ScoreLayersInShortMemory, TakesAsManyLayersAsFit) {
  SmallMemory memory{2};
  const LayerScores got = score(memory);
  EXPECT_EQ(got.layers_at_once, 2u);
  // What did not fit is not tried again.
  EXPECT_EQ(memory.tried, (std::vector<uint32_t>{5, 4, 3, 2, 2, 1}));
  SmallMemory enough;
  expect_equal_scores(got.texts, score(enough).texts, "2 of 5 layers");
  EXPECT_EQ(enough.tried, (std::vector<uint32_t>{5}));
}

TEST_F(ScoreLayersInShortMemory, HoldsNoMoreThanThePart) {
  SmallMemory whole, one;
  score(whole, 5);
  score(one, 1);
  const auto bytes = [](const FalconWeights& weights) { return weights.bytes(); };
  ASSERT_EQ(one.weight_bytes.size(), 5u);
  // Embedding and head are one matrix, which the first and the last part have; norms aside.
  const FalconWeights all(config_, DType::bfloat16);
  const uint64_t embedding = all.embedding.bytes();
  const uint64_t layer = (bytes(all) - embedding) / 5;
  const uint64_t norms = uint64_t{4} * 6 * config_.hidden_size;
  for (size_t part = 0; part < 5; ++part) {
    const uint64_t matrices = layer + (part == 0 || part == 4 ? embedding : 0);
    EXPECT_GE(one.weight_bytes[part], matrices) << part;
    EXPECT_LE(one.weight_bytes[part], matrices + norms) << part;
    const FalconConfig config = config_.part(static_cast<uint32_t>(part), 1);
    EXPECT_EQ(plan_memory(config, DType::bfloat16, 1, 1, 1, 1).weights, matrices) << part;
  }
  EXPECT_GE(whole.weight_bytes.at(0), bytes(all));
  EXPECT_LE(whole.weight_bytes.at(0), bytes(all) + 5 * norms);
}

TEST_F(ScoreLayersInShortMemory, HalvesWhatFailsWhileItIsRead) {
  SmallMemory memory{1, true};
  EXPECT_EQ(score(memory).layers_at_once, 1u);
  EXPECT_EQ(memory.tried, (std::vector<uint32_t>{5, 2, 1, 1, 1, 1, 1}));
}

TEST_F(ScoreLayersInShortMemory, SaysWhatDoesNotFit) {
  SmallMemory memory{2};
  expect_error(ErrorCode::out_of_memory, "3 layers at a time do not fit: no room; or a smaller --layers", [&] { score(memory, 3); });
  EXPECT_EQ(memory.tried, (std::vector<uint32_t>{3}));
  SmallMemory none{0};
  expect_error(ErrorCode::out_of_memory, "a single layer at a time does not fit: no room", [&] { score(none); });
  EXPECT_EQ(none.tried, (std::vector<uint32_t>{5, 4, 3, 2, 1}));
}

TEST_F(ScoreLayersInShortMemory, TakesTheCpuWhereThereIsNoCard) {
  EngineOptions mine = options();
  mine.device = DeviceChoice::automatic;
  mine.cuda.library = folder_.path() + "/no-library.so";
  mine.cuda.slots = 4;
  mine.cuda.prefill_tokens = 64;
  SmallMemory enough;
  expect_equal_scores(score_by_layers(mine, texts_, {2}, kNotCancelled).texts, score(enough).texts, "without a card");
  mine.device = DeviceChoice::cuda;
  expect_error(ErrorCode::unsupported_device, "does not exist", [&] { score_by_layers(mine, texts_, {2}, kNotCancelled); });
}

TEST_F(ScoreLayersInShortMemory, RefusesWhatCannotBe) {
  const auto refused = [&](const std::vector<std::vector<uint32_t>>& texts, uint32_t layers, const char* part) {
    expect_error(ErrorCode::invalid_request, part, [&] { score_by_layers(options(), texts, {layers}, kNotCancelled); });
  };
  refused(texts_, 6, "layers is 6, must be from 1 to 5");
  refused({{}}, 1, "a text has 0 tokens, must have from 1 to slotTokens = 512");
  refused({std::vector<uint32_t>(513, 1)}, 1, "a text has 513 tokens");
  refused({{3, 97}}, 1, "the token 97, must be below the vocabulary size 97");
  EXPECT_TRUE(score_by_layers(options(), {}, {1}, kNotCancelled).texts.empty());
  const std::atomic<bool> cancelled{true};
  expect_error(ErrorCode::engine_closed, "", [&] { score_by_layers(options(), texts_, {1}, cancelled); });
}

}  // namespace
}  // namespace eyrie::test
