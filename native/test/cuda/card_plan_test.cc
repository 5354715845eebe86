// What a model is planned to take of a card is what it takes.

#include "cuda/card_plan.h"

#include "test/cuda/emulated_engine.h"
#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

using cuda::CardOptions;
using cuda::CardPlan;
using cuda::RowFormat;

FalconConfig falcon_40b() {
  FalconConfig config;
  config.layers = 60;
  config.hidden_size = 8192;
  config.query_heads = 128;
  config.kv_heads = 8;
  config.head_dim = 64;
  config.ffn_size = 32768;
  config.vocab_size = 65024;
  config.context_tokens = 2048;
  return config;
}

TEST(CardPlanTest, TakesOfTheCardWhatWasPlanned) {
  const FalconConfig config = card_config();
  for (const RowFormat format : {RowFormat::bf16, RowFormat::e4m3, RowFormat::int8}) {
    Loop loop;
    loop.slots = 8;
    loop.format = format;
    const cuda::CudaBackendOptions options = card_options(config, loop);
    auto device = std::make_shared<cuda::Device>();
    const size_t before = device->free_bytes();
    const cuda::CudaBackend backend(device, options);
    const size_t taken = before - device->free_bytes();
    const CardPlan plan = plan_card(config, format, {}, {options.slots, options.slot_tokens, options.rows_max, 1});
    const uint64_t planned = plan.weights + plan.buffers + backend.info().kv_pages * plan.page_bytes;
    EXPECT_EQ(backend.info().kv_pages, 16u);
    EXPECT_NEAR(static_cast<double>(taken), static_cast<double>(planned), 0.005 * static_cast<double>(planned))
        << cuda::format_name(format);
  }
}

TEST(CardPlanTest, KnowsTheWeightsOfA40B) {
  const FalconConfig config = falcon_40b();
  const CardOptions options{256, 2048, 768, 1};
  for (const RowFormat format : {RowFormat::bf16, RowFormat::e4m3}) {
    for (const int ranks : {1, 2}) {
      const CardPlan plan = plan_card(config, format, {0, ranks}, options);
      const auto exact = static_cast<double>(cuda::Weights::bytes_needed(config, format, {0, ranks}));
      EXPECT_NEAR(static_cast<double>(plan.weights), exact, 1e-4 * exact);
      EXPECT_EQ(plan.page_bytes, 256u * 60 * 2 * 2 * 512 / static_cast<unsigned>(ranks));
    }
  }
}

TEST(CardPlanTest, PiecesOfHeadRowsBeginWhereCublasLtIsToldThatTheyDo) {
  // 7B's rows are 9,088 bytes: only every second one begins at a multiple of 256.
  for (const uint32_t slots : {1u, 64u, 65u, 100u, 199u, 255u, 1024u}) {
    EXPECT_EQ(cuda::head_rows_for(slots) * 4544 * 2 % 256, 0u) << slots;
    EXPECT_GE(cuda::head_rows_for(slots), std::min(slots, 256u));
    EXPECT_LE(cuda::head_rows_for(slots), 256u);
  }
}

TEST(CardPlanTest, CountsAsThePlanOfTheCommandLine) {
  const CardOptions options{256, 2048, 768, 1};
  const auto weights = [&](RowFormat format, int ranks) { return plan_card(falcon_40b(), format, {0, ranks}, options).weights; };
  // The same figures are in test/unit/domain/gpu-plan.test.ts.
  EXPECT_EQ(weights(RowFormat::bf16, 1), 82'610'552'832u);
  EXPECT_EQ(weights(RowFormat::bf16, 2), 41'841'917'952u);
  EXPECT_EQ(weights(RowFormat::e4m3, 1), 41'855'926'272u);
  EXPECT_EQ(weights(RowFormat::e4m3, 2), 21'466'570'752u);
  EXPECT_EQ(weights(RowFormat::e4m3, 4), 11'271'892'992u);
  EXPECT_EQ(weights(RowFormat::int8, 4), 11'271'892'992u);
}

TEST(CardPlanTest, FillsTheRestOfTheCardWithPages) {
  const CardOptions options{256, 2048, 768, 1};
  const CardPlan plan = plan_card(falcon_40b(), RowFormat::e4m3, {}, options);
  const uint64_t h100 = uint64_t{79} << 30;
  const uint32_t pages = pages_that_fit(plan, options, h100, "H100");
  EXPECT_LE(plan.fixed() + pages * plan.page_bytes, h100);
  EXPECT_GT(plan.fixed() + (pages + 1) * plan.page_bytes, h100);
  // Some 300,000 tokens, less what the buffers of 256 slots take.
  EXPECT_GT(pages * 256, 260'000u);
  EXPECT_EQ(pages_that_fit(plan, options, uint64_t{400} << 30, "large"), 256u * 8);
  expect_error(ErrorCode::out_of_memory, "H100 has 40.00 GiB free", [&] { pages_that_fit(plan, options, uint64_t{40} << 30, "H100"); });
}

}  // namespace
}  // namespace eyrie::test
