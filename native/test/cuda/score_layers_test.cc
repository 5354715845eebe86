// Scoring some layers at a time on an emulated card: the bytes of the whole model, where the partial sums of a part's last layer would be
// added by the first kernel of a layer that the part does not have.

#include <algorithm>

#include "cuda/card_plan.h"
#include "cuda/ranks/rank_backend.h"
#include "emulation/settings.h"
#include "test/cuda/emulated_engine.h"
#include "test/support/expect_error.h"
#include "test/support/layer_scores.h"

namespace eyrie::test {
namespace {

struct Form {
  const char* name;
  bool one_norm, tied;
  cuda::RowFormat format;
  uint32_t cards;
};

class Load final : public WeightLoad {
 public:
  Load(std::string folder, const FalconConfig& config) : folder_(std::move(folder)), config_(config) {}
  void load(WeightSink& sink) override { load_falcon(folder_, config_, sink, kNoProgress, kNotCancelled); }

 private:
  std::string folder_;
  const FalconConfig& config_;
};

class ScoreLayersOnACard : public testing::TestWithParam<Form> {
 protected:
  ScoreLayersOnACard() {
    emulation::set_cards(2);
    folder_.write("model.safetensors", safetensors_bytes(tiny_tensors(config())));
  }
  ~ScoreLayersOnACard() override {
    emulation::set_cards(1);
    emulation::set_device_bytes(emulation::kDeviceBytes);
  }

  static FalconConfig config() {
    FalconConfig config = GetParam().one_norm ? card_7b_config() : card_config();
    config.layers = 3;
    config.tied_head = GetParam().tied;
    return config;
  }

  Loop loop() const {
    Loop loop;
    loop.format = GetParam().format;
    loop.prefill_tokens = 64;
    return loop;
  }

  /// As open_backend() does it; `options` may be of a part.
  std::unique_ptr<Backend> open(const EngineOptions& options) const {
    Loop mine = loop();
    mine.slots = options.cuda.slots;
    mine.slot_tokens = options.slot_tokens;
    if (GetParam().cards == 1) return open_card(folder_.path(), options.config, mine);
    Load load(folder_.path(), options.config);
    return cuda::open_ranks(card_options(options.config, mine), 0, GetParam().cards, load);
  }

  EngineOptions options() const {
    EngineOptions options = engine_options(config(), loop());
    options.device = DeviceChoice::cuda;
    options.cuda.slots = options.slots;
    options.cuda.prefill_tokens = options.prefill_tokens;
    return options;
  }

  LayerScores score(const std::vector<std::vector<uint32_t>>& texts, uint32_t layers) const {
    ScoreSettings settings{layers};
    settings.open = [this](const EngineOptions& options, ThreadPool&, const LoadProgress&, const std::atomic<bool>&) {
      return OpenedBackend{open(options), ""};
    };
    return score_by_layers(options(), texts, settings, kNotCancelled);
  }

  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Forms, ScoreLayersOnACard,
                         testing::Values(Form{"bf16", false, true, cuda::RowFormat::bf16, 1},
                                         Form{"fp8", false, true, cuda::RowFormat::e4m3, 1},
                                         Form{"int8", false, false, cuda::RowFormat::int8, 1},
                                         Form{"fp8_one_norm", true, false, cuda::RowFormat::e4m3, 1},
                                         Form{"bf16_two_cards", false, true, cuda::RowFormat::bf16, 2}),
                         [](const auto& info) { return info.param.name; });

TEST_P(ScoreLayersOnACard, GivesTheBytesOfTheWholeModel) {
  // The texts of one token make passes that are padded and captured as those of decoding are.
  const auto texts = random_texts({75, 1, 2, 20, 1, 1, 1, 1}, config().vocab_size);
  const std::vector<TextScore> expected = score_whole(open(options()), options(), texts);
  for (const uint32_t layers : {1u, 2u}) {
    const LayerScores got = score(texts, layers);
    expect_equal_scores(got.texts, expected, std::to_string(layers) + " layers");
    EXPECT_EQ(got.layers_at_once, layers);
  }
}

/// With one card: emulated ones share their memory.
class ScoreLayersOnASmallCard : public ScoreLayersOnACard {};

INSTANTIATE_TEST_SUITE_P(Forms, ScoreLayersOnASmallCard,
                         testing::Values(Form{"bf16", false, true, cuda::RowFormat::bf16, 1},
                                         Form{"fp8", false, false, cuda::RowFormat::e4m3, 1}),
                         [](const auto& info) { return info.param.name; });

TEST_P(ScoreLayersOnASmallCard, TakesAsManyLayersAsItHolds) {
  const auto texts = random_texts({40, 5}, config().vocab_size);
  const std::vector<TextScore> expected = score_whole(open(options()), options(), texts);
  const auto bytes_for = [&](const FalconConfig& part) {
    const cuda::CardPlan plan = cuda::plan_card(part, loop().format, {}, {2, 40, pass_rows_max(2, 64), 1});
    return plan.fixed() + plan.pages_per_slot * plan.page_bytes;
  };
  emulation::set_device_bytes(std::max(bytes_for(config().part(0, 2)), bytes_for(config().part(2, 1))) + 2048);
  expect_error(ErrorCode::out_of_memory, "3 layers at a time do not fit: ", [&] { score(texts, 3); });
  const LayerScores got = score(texts, 0);
  EXPECT_EQ(got.layers_at_once, 2u);
  expect_equal_scores(got.texts, expected, "as many as fit");
}

}  // namespace
}  // namespace eyrie::test
