// What a model is planned to take of a card is what it takes.

#include "cuda/card_plan.h"

#include <filesystem>
#include <fstream>
#include <sstream>

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

/// A line of test/golden/card-plans.csv: shape, form and sizes, and behind them what was planned.
class PlannedLine {
 public:
  explicit PlannedLine(const std::string& line) {
    std::stringstream cells(line);
    for (std::string cell; std::getline(cells, cell, ',');) cells_.push_back(cell);
  }
  size_t size() const { return cells_.size(); }

  /// The line as plan_card() has it.
  std::string planned() {
    at_ = 0;
    FalconConfig config;
    config.layers = number();
    config.hidden_size = number();
    config.query_heads = number();
    config.kv_heads = number();
    config.head_dim = number();
    config.ffn_size = number();
    config.vocab_size = number();
    config.norms_per_layer = number();
    config.tied_head = text() == "true";
    const std::string weights = text();
    cuda::LayerFormats formats = weights == "fp8" ? RowFormat::e4m3 : weights == "int8" ? RowFormat::int8 : RowFormat::bf16;
    const std::string kept = text();
    if (kept.find("dense") != std::string::npos) formats.dense = RowFormat::bf16;
    if (kept.find("down") != std::string::npos) formats.down = RowFormat::bf16;
    const cuda::RankShare share{0, static_cast<int>(number())};
    CardOptions options;
    options.slots = number();
    options.slot_tokens = number();
    options.rows_max = pass_rows_max(options.slots, number());
    options.stop_ids = 1;
    const uint64_t free_bytes = std::stoull(text());

    const CardPlan plan = plan_card(config, formats, share, options);
    std::string line;
    for (size_t i = 0; i < at_; ++i) line += cells_[i] + ",";
    for (const uint64_t value : {plan.weights, plan.buffers, plan.page_bytes, plan.reserve}) line += std::to_string(value) + ",";
    return line + std::to_string(pages(plan, options, free_bytes));
  }

 private:
  std::string text() { return cells_.at(at_++); }
  uint32_t number() { return static_cast<uint32_t>(std::stoul(text())); }
  /// 0: the card is too small.
  static uint32_t pages(const CardPlan& plan, const CardOptions& options, uint64_t free_bytes) {
    try {
      return pages_that_fit(plan, options, free_bytes, "card");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::out_of_memory) << error.what();
      return 0;
    }
  }

  std::vector<std::string> cells_;
  size_t at_ = 0;
};

TEST(CardPlanTest, PiecesOfHeadRowsBeginWhereCublasLtIsToldThatTheyDo) {
  // 7B's rows are 9,088 bytes: only every second one begins at a multiple of 256.
  for (const uint32_t slots : {1u, 64u, 65u, 100u, 199u, 255u, 1024u}) {
    EXPECT_EQ(cuda::head_rows_for(slots) * 4544 * 2 % 256, 0u) << slots;
    EXPECT_GE(cuda::head_rows_for(slots), std::min(slots, 256u));
    EXPECT_LE(cuda::head_rows_for(slots), 256u);
  }
}

TEST(CardPlanTest, CountsAsThePlanOfTheCommandLine) {
  // test/unit/domain/card-plans.test.ts compares the planner of the command line with the same table.
  const std::filesystem::path folder = std::filesystem::path(__FILE__).parent_path() / ".." / ".." / ".." / "test" / "golden";
  std::ifstream table(folder / "card-plans.csv");
  std::string line;
  ASSERT_TRUE(std::getline(table, line));  // the names of the columns
  const size_t columns = PlannedLine(line).size();
  int lines = 0;
  for (; std::getline(table, line); ++lines) {
    PlannedLine planned(line);
    ASSERT_EQ(planned.size(), columns) << line;
    EXPECT_EQ(line, planned.planned());
  }
  EXPECT_GE(lines, 20);
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
