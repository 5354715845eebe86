// The backend, pass by pass: what a row gives depends on its sequence alone, however passes are composed, pages handed on and copies made.

#include <cstring>

#include "emulation/settings.h"
#include "test/cuda/emulated_engine.h"
#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

using Tokens = std::vector<uint32_t>;

Tokens random_tokens(size_t count, uint32_t seed) {
  std::mt19937 random(seed);
  Tokens tokens;
  for (size_t i = 0; i < count; ++i) tokens.push_back(random() % 97);
  return tokens;
}

SamplingParams greedy_params() {
  SamplingParams params;
  params.temperature = 0;
  return params;
}

/// Rows of one sequence in a pass.
struct Part {
  uint32_t slot = 0;
  Tokens tokens;  // of these positions
  uint32_t first = 0;
};

class BackendTest : public testing::Test {
 protected:
  BackendTest() {
    write_checkpoint(folder_, config_);
    loop_.slots = 4;
    loop_.slot_tokens = 600;
    loop_.prefill_tokens = 512;
    backend_ = open();
  }
  std::unique_ptr<cuda::CudaBackend> open() const { return open_card(folder_.path(), config_, loop_); }

  /// One pass in which every row scores token 7.
  static std::vector<std::vector<float>> score(Backend& backend, const std::vector<Part>& parts) {
    std::vector<int32_t> tokens;
    std::vector<PassSpan> spans;
    std::vector<HeadRow> rows;
    for (const Part& part : parts) {
      const auto count = static_cast<uint32_t>(part.tokens.size());
      spans.push_back({part.slot, part.first, count, count});
      for (const uint32_t token : part.tokens) {
        tokens.push_back(static_cast<int32_t>(token));
        HeadRow row;
        row.index = static_cast<uint32_t>(rows.size());
        row.slot = part.slot;
        row.scored = 7;
        row.top = 0;
        rows.push_back(row);
      }
    }
    backend.forward(tokens, spans);
    backend.draw(rows);
    const std::span<const HeadResult> results = backend.collect();
    std::vector<std::vector<float>> scores;
    size_t at = 0;
    for (const Part& part : parts) {
      scores.emplace_back();
      for (size_t i = 0; i < part.tokens.size(); ++i) scores.back().push_back(results[at++].logprob);
    }
    return scores;
  }
  /// The whole prompt in pieces of the given lengths, the last one repeated.
  static std::vector<float> score_in_pieces(Backend& backend, uint32_t slot, const Tokens& prompt, const std::vector<uint32_t>& lengths,
                                            uint32_t from = 0) {
    std::vector<float> scores;
    size_t piece = 0;
    for (auto first = from; first < prompt.size();) {
      const uint32_t length = std::min(lengths[std::min(piece++, lengths.size() - 1)], static_cast<uint32_t>(prompt.size()) - first);
      const std::vector<float> some = score(backend, {{slot, Tokens(prompt.begin() + first, prompt.begin() + first + length), first}})[0];
      scores.insert(scores.end(), some.begin(), some.end());
      first += length;
    }
    return scores;
  }
  void open_slot(Backend& backend, uint32_t slot, const Tokens& prompt, uint32_t tokens) const {
    backend.open_slot(slot, greedy_params(), prompt, tokens);
  }

  FalconConfig config_ = card_config();
  Loop loop_;
  TemporaryFolder folder_;
  std::unique_ptr<cuda::CudaBackend> backend_;
};

TEST_F(BackendTest, GivesTheSameBitsHoweverAPromptIsCut) {
  const Tokens prompt = random_tokens(300, 1);
  open_slot(*backend_, 0, prompt, 300);
  // 300 head rows: more than get logits at a time.
  const std::vector<float> whole = score_in_pieces(*backend_, 0, prompt, {300});
  for (const float score : whole) ASSERT_TRUE(std::isfinite(score));
  for (const std::vector<uint32_t>& lengths : {std::vector<uint32_t>{64, 128}, {1, 9, 2, 17}, {255, 1}, {290, 1}}) {
    open_slot(*backend_, 1, prompt, 300);
    EXPECT_EQ(score_in_pieces(*backend_, 1, prompt, lengths), whole) << "pieces of " << lengths[0] << ", " << lengths.back();
  }
}

TEST_F(BackendTest, GivesTheSameBitsInMixedPasses) {
  const Tokens first = random_tokens(270, 2);
  const Tokens second = random_tokens(100, 3);
  const Tokens third = random_tokens(40, 4);
  open_slot(*backend_, 0, first, 300);
  open_slot(*backend_, 1, second, 300);
  open_slot(*backend_, 2, third, 300);
  const std::vector<float> alone[] = {score_in_pieces(*backend_, 0, first, {270}), score_in_pieces(*backend_, 1, second, {100}),
                                      score_in_pieces(*backend_, 2, third, {40})};
  // Slots change places, one decodes while the others have prompts.
  const auto other = open();
  open_slot(*other, 3, first, 300);
  open_slot(*other, 0, second, 300);
  open_slot(*other, 1, third, 300);
  const auto begin = [](const Tokens& tokens, size_t count) { return Tokens(tokens.begin(), tokens.begin() + static_cast<long>(count)); };
  const auto rest = [](const Tokens& tokens, size_t from) { return Tokens(tokens.begin() + static_cast<long>(from), tokens.end()); };
  const auto one = score(*other, {{3, begin(first, 269), 0}, {0, begin(second, 33), 0}});
  const auto two = score(*other, {{1, third, 0}, {3, rest(first, 269), 269}, {0, rest(second, 33), 33}});
  std::vector<float> joined = one[0];
  joined.insert(joined.end(), two[1].begin(), two[1].end());
  EXPECT_EQ(joined, alone[0]);
  joined = one[1];
  joined.insert(joined.end(), two[2].begin(), two[2].end());
  EXPECT_EQ(joined, alone[1]);
  EXPECT_EQ(two[0], alone[2]);
}

TEST_F(BackendTest, CopiesAPrefixAsIfItWereComputed) {
  const Tokens prompt = random_tokens(330, 5);
  Tokens fork = prompt;
  for (size_t i = 320; i < fork.size(); ++i) fork[i] = (fork[i] + 1) % 97;
  open_slot(*backend_, 0, prompt, 400);
  open_slot(*backend_, 1, fork, 400);
  score_in_pieces(*backend_, 0, prompt, {330});
  const std::vector<float> computed = score_in_pieces(*backend_, 1, fork, {330});
  open_slot(*backend_, 2, fork, 400);
  backend_->copy_prefix(0, 2, 320);
  const std::vector<float> copied = score_in_pieces(*backend_, 2, fork, {3, 1}, 320);
  EXPECT_EQ(copied, std::vector<float>(computed.begin() + 320, computed.end()));
  expect_error(ErrorCode::internal_error, "without room", [&] { backend_->copy_prefix(0, 3, 320); });
}

TEST_F(BackendTest, HandsPagesOnWithoutTraces) {
  loop_.kv_pages = 3;
  backend_ = open();
  const Tokens prompt = random_tokens(500, 6);
  const Tokens next = random_tokens(200, 7);
  open_slot(*backend_, 3, next, 200);
  const std::vector<float> fresh = score_in_pieces(*backend_, 3, next, {200});
  backend_->release_pages(3);
  open_slot(*backend_, 0, prompt, 600);
  score_in_pieces(*backend_, 0, prompt, {500});
  expect_error(ErrorCode::internal_error, "pages", [&] { open_slot(*backend_, 1, next, 200); });
  backend_->release_pages(0);
  open_slot(*backend_, 1, next, 200);
  EXPECT_EQ(score_in_pieces(*backend_, 1, next, {200}), fresh);
  expect_error(ErrorCode::internal_error, "no room", [&] { score(*backend_, {{1, {5}, 256}}); });
}

/// Draws `count` tokens after the prompt; with `ahead`, the next forward() is launched before the tokens of a pass are fetched.
std::vector<int32_t> generate(Backend& backend, const Tokens& prompt, uint32_t count, bool ahead) {
  std::vector<int32_t> drawn;
  HeadRow row;
  row.draws = true;
  std::vector<int32_t> tokens(prompt.begin(), prompt.end());
  const auto length = static_cast<uint32_t>(prompt.size());
  PassSpan span{0, 0, length, 1};
  backend.forward(tokens, {&span, 1});
  backend.draw({&row, 1});
  for (uint32_t step = 0; step + 1 < count; ++step) {
    span = {0, length + step, 1, 1};
    if (!ahead) drawn.push_back(backend.collect()[0].token);
    const int32_t input = ahead ? kDrawn : drawn.back();
    backend.forward({&input, 1}, {&span, 1});
    if (ahead) drawn.push_back(backend.collect()[0].token);
    backend.draw({&row, 1});
  }
  drawn.push_back(backend.collect()[0].token);
  return drawn;
}

TEST_F(BackendTest, RunsAPassAheadOfItsTokens) {
  EXPECT_EQ(backend_->info().lookahead, 1u);
  const Tokens prompt = random_tokens(250, 8);
  open_slot(*backend_, 0, prompt, 300);
  const std::vector<int32_t> step_by_step = generate(*backend_, prompt, 12, false);
  open_slot(*backend_, 0, prompt, 300);
  EXPECT_EQ(generate(*backend_, prompt, 12, true), step_by_step);
  // Work that begins late, as on a card: memory of the host that is written too early would show.
  emulation::set_late_streams(true);
  open_slot(*backend_, 0, prompt, 300);
  const std::vector<int32_t> late = generate(*backend_, prompt, 12, true);
  emulation::set_late_streams(false);
  EXPECT_EQ(late, step_by_step);
}

TEST_F(BackendTest, RefusesAThirdDrawAndACollectOfNothing) {
  const Tokens prompt = random_tokens(4, 9);
  open_slot(*backend_, 0, prompt, 20);
  expect_error(ErrorCode::internal_error, "without a draw", [&] { backend_->collect(); });
  score(*backend_, {{0, prompt, 0}});
  backend_->draw({});
  backend_->draw({});
  expect_error(ErrorCode::internal_error, "third draw", [&] { backend_->draw({}); });
  EXPECT_TRUE(backend_->collect().empty());
}

TEST_F(BackendTest, TellsWhatItIs) {
  const BackendInfo& info = backend_->info();
  EXPECT_EQ(info.device, DeviceKind::cuda);
  EXPECT_EQ(info.kind, "emulation sm_90");
  EXPECT_EQ(info.numerics, "eyrie-cuda-1");
  EXPECT_EQ(info.kv_page_tokens, 256u);
  EXPECT_EQ(info.kv_pages, 12u);
  EXPECT_EQ(info.kv_cache_bytes, 12u * 256 * 2 * 2 * 128 * 2);
  const Tokens prompt = random_tokens(5, 10);
  open_slot(*backend_, 0, prompt, 20);
  score(*backend_, {{0, prompt, 0}});
  const uint64_t layer = 256 * 512 + 256 * 256 + 2 * 160 * 256;
  EXPECT_EQ(backend_->multiply_adds(), 5 * (2 * layer + 97 * 256));
}

TEST_F(BackendTest, RefusesFormsThatTheKernelsDoNotHave) {
  const auto refusal = [&](const char* message, auto change) {
    FalconConfig config = config_;
    change(config);
    expect_error(ErrorCode::unsupported_device, message,
                 [&] { cuda::CudaBackend(std::make_shared<cuda::Device>(), card_options(config, loop_)); });
  };
  refusal("alibi is true", [](FalconConfig& config) { config.alibi = true; });
  refusal("parallelAttention is false", [](FalconConfig& config) { config.parallel_attention = false; });
  refusal("linearBias is true", [](FalconConfig& config) { config.linear_bias = true; });
  refusal("headDim is 32", [](FalconConfig& config) {
    config.head_dim = 32;
    config.query_heads = 8;
  });
  refusal("ffnSize is 100", [](FalconConfig& config) { config.ffn_size = 100; });
  refusal("--device cpu", [](FalconConfig& config) { config.alibi = true; });
}

TEST(ModelFormTest, RefusesOldCards) {
  cuda::DeviceInfo card;
  card.name = "Tesla T4";
  card.major = 7;
  card.minor = 5;
  expect_error(ErrorCode::unsupported_device, "compute capability 7.5", [&] { cuda::check_card(card, cuda::RowFormat::bf16); });
  card.major = 8;
  card.minor = 0;
  cuda::check_card(card, cuda::RowFormat::int8);
  // Cards before and after Hopper have FP8 too, but not with a scale per row.
  for (const auto& [major, minor] : {std::pair{8, 0}, {8, 9}, {10, 0}, {12, 0}}) {
    card.major = major;
    card.minor = minor;
    expect_error(ErrorCode::unsupported_device, "for 9.x alone", [&] { cuda::check_card(card, cuda::RowFormat::e4m3); });
  }
  card.major = 9;
  card.minor = 0;
  cuda::check_card(card, cuda::RowFormat::e4m3);
}

TEST_F(BackendTest, SaysWhatDoesNotFitTheCard) {
  backend_.reset();
  emulation::set_device_bytes(size_t{560} << 20);
  expect_error(ErrorCode::out_of_memory, "use fewer or shorter slots", [&] {
    Loop loop = loop_;
    loop.slots = 256;
    loop.prefill_tokens = 8192;
    cuda::CudaBackend(std::make_shared<cuda::Device>(), card_options(config_, loop));
  });
  emulation::set_device_bytes(emulation::kDeviceBytes);
  Loop loop = loop_;
  loop.kv_pages = 1;
  expect_error(ErrorCode::out_of_memory, "kvPages is 1",
               [&] { cuda::CudaBackend(std::make_shared<cuda::Device>(), card_options(config_, loop)); });
}

}  // namespace
}  // namespace eyrie::test
