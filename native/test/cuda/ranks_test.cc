// A model shared by ranks, in emulation on one card: the answers of one rank within rounding, equal bytes in any company.

#include "cuda/ranks/local_team.h"
#include "cuda/ranks/rank_backend.h"
#include "emulation/settings.h"
#include "test/cuda/emulated_engine.h"
#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

class FolderLoad : public WeightLoad {
 public:
  FolderLoad(std::string folder, const FalconConfig& config) : folder_(std::move(folder)), config_(config) {}
  void load(WeightSink& sink) override { load_falcon(folder_, config_, sink, kNoProgress, kNotCancelled); }

 private:
  std::string folder_;
  FalconConfig config_;
};

class RanksTest : public testing::Test {
 protected:
  RanksTest() {
    write_checkpoint(folder_, config_);
    loop_.slot_tokens = 400;
    loop_.kv_pages = 6;
    std::mt19937 random(5);
    for (const size_t length : {1, 40, 70, 130, 260, 33, 64}) {
      Request request = card_request(random, config_, length);
      request.logprobs = 2;
      requests_.push_back(std::move(request));
    }
  }

  Outcomes run(int ranks, const Loop& loop, uint32_t order_seed = 1) {
    cuda::LocalTeam team(ranks);
    auto backend = std::make_unique<cuda::RankBackend>(ranks, [&](int rank) {
      auto device = std::make_shared<cuda::Device>();
      cuda::CudaBackendOptions options = card_options(config_, loop);
      options.share = {rank, ranks};
      cuda::RankParts parts;
      parts.group = team.member(rank, *device, int64_t{cuda::rounded_rows(options.rows_max)} * config_.hidden_size);
      parts.backend = std::make_unique<cuda::CudaBackend>(std::move(device), options, parts.group.get());
      return parts;
    });
    FolderLoad load(folder_.path(), config_);
    backend->load(load);
    EXPECT_EQ(backend->info().kind, ranks == 1 ? "emulation sm_90" : "emulation sm_90 x 2");
    return run_requests(std::move(backend), engine_options(config_, loop), requests_, order_seed);
  }

  FalconConfig config_ = card_config();
  Loop loop_;
  TemporaryFolder folder_;
  std::vector<Request> requests_;
};

TEST_F(RanksTest, GiveTheSameBytesInAnyCompany) {
  for (const cuda::RowFormat format : {cuda::RowFormat::bf16, cuda::RowFormat::e4m3}) {
    loop_.format = format;
    Loop alone = loop_;
    alone.slots = 1;
    alone.kv_pages = 2;
    const Outcomes expected = run(2, alone);
    const Outcomes got = run(2, loop_, 3);
    for (const auto& [id, outcome] : expected) {
      ASSERT_FALSE(outcome.failure) << outcome.failure->message;
      ASSERT_FALSE(got.at(id).failure) << got.at(id).failure->message;
      expect_equal_results(got.at(id).result, outcome.result, id);
    }
  }
}

TEST_F(RanksTest, HaveThePagesThatWerePlannedBeforeTheyMet) {
  loop_.slots = 64;
  loop_.slot_tokens = 1024;
  loop_.prefill_tokens = 2048;
  loop_.kv_pages = 0;
  cuda::CudaBackendOptions options = card_options(config_, loop_);
  emulation::set_device_bytes(size_t{600} << 20);
  cuda::LocalTeam team(1);
  auto device = std::make_shared<cuda::Device>();
  const uint32_t pages = cuda::plan_pages(*device, options);
  EXPECT_LT(pages, 256u);  // what memory has room for, and not what the slots could use
  const auto group = team.member(0, *device, int64_t{cuda::rounded_rows(options.rows_max)} * config_.hidden_size);
  EXPECT_LT(cuda::plan_pages(*device, options), pages);
  options.kv_pages = pages;
  EXPECT_EQ(cuda::CudaBackend(device, options, group.get()).info().kv_pages, pages);
  emulation::set_device_bytes(emulation::kDeviceBytes);
}

TEST_F(RanksTest, AgreeWithOneRank) {
  for (Request& request : requests_) {
    request.temperature = 0;
    request.prompt_logprobs = true;
    request.repetition_penalty = 1;
    request.max_tokens = 1;
  }
  const Outcomes exact = run_on_cpu(folder_.path(), config_, loop_, requests_, DType::float32);
  const Outcomes one = run(1, loop_);
  const Outcomes two = run(2, loop_);
  double errors[2] = {};
  size_t count = 0;
  for (const auto& [id, outcome] : exact) {
    for (size_t i = 1; i < outcome.result.prompt_logprobs.size(); ++i) {
      errors[0] += std::abs(one.at(id).result.prompt_logprobs[i] - outcome.result.prompt_logprobs[i]);
      errors[1] += std::abs(two.at(id).result.prompt_logprobs[i] - outcome.result.prompt_logprobs[i]);
      ++count;
    }
  }
  ASSERT_GT(count, 300u);
  EXPECT_LT(errors[1], errors[0] * 1.3);
}

TEST_F(RanksTest, EndTogetherWhenOneFails) {
  cuda::LocalTeam team(2);
  expect_error(ErrorCode::out_of_memory, "of rank 1", [&] {
    cuda::RankBackend(2, [&](int rank) -> cuda::RankParts {
      cuda::RankParts parts;
      cuda::Device device;
      cuda::Stream stream(device);
      parts.group = team.member(rank, device, 64);
      if (rank == 1) {
        parts.group->abort();
        throw Error(ErrorCode::out_of_memory, "of rank 1");
      }
      // Waits for the other, which never comes.
      const cuda::DeviceBuffer values = device.alloc(128);
      try {
        parts.group->sum(stream, values.as<bf16>(), 64);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::engine_closed);
      }
      return parts;
    });
  });
}

TEST_F(RanksTest, TakeACardEach) {
  emulation::set_cards(2);
  FolderLoad load(folder_.path(), config_);
  auto backend = cuda::open_ranks(card_options(config_, loop_), 0, 2, load);
  expect_error(ErrorCode::unsupported_device, "there are 2; allowed is 0 to 1", [&] { cuda::Device{2}; });
  emulation::set_cards(1);
  EXPECT_EQ(backend->info().kind, "emulation sm_90 x 2");
  const Outcomes expected = run(2, loop_);
  const Outcomes got = run_requests(std::move(backend), engine_options(config_, loop_), requests_);
  for (const auto& [id, outcome] : expected) expect_equal_results(got.at(id).result, outcome.result, id);
}

TEST_F(RanksTest, NeedCardsAndAModelThatTheyCanShare) {
  FolderLoad load(folder_.path(), config_);
  expect_error(ErrorCode::unsupported_device, "device 1", [&] { cuda::open_ranks(card_options(config_, loop_), 0, 2, load); });
  FalconConfig odd = config_;
  odd.kv_heads = 1;
  cuda::CudaBackendOptions options = card_options(odd, loop_);
  options.share = {0, 2};
  expect_error(ErrorCode::unsupported_device, "kvHeads is 1", [&] { cuda::plan_pages(cuda::Device(), options); });
}

}  // namespace
}  // namespace eyrie::test
