// The whole engine over the CUDA backend in emulation, on seeded random checkpoints: the CPU's answers, and bytes that depend on the
// request alone.

#include "emulation/settings.h"
#include "test/cuda/emulated_engine.h"

namespace eyrie::test {
namespace {

class Form : public testing::TestWithParam<std::tuple<const char*, cuda::RowFormat>> {
 protected:
  Form() { folder_.write("model.safetensors", safetensors_bytes(tiny_tensors(config()))); }
  FalconConfig config() const { return std::string(std::get<0>(GetParam())) == "40b" ? card_config() : card_7b_config(); }
  Loop loop() const {
    Loop loop;
    loop.format = std::get<1>(GetParam());
    return loop;
  }
  std::vector<Request> requests(uint32_t seed, std::vector<size_t> lengths) const {
    std::mt19937 random(seed);
    std::vector<Request> requests;
    for (const size_t length : lengths) requests.push_back(card_request(random, config(), length));
    return requests;
  }

  TemporaryFolder folder_;
};

TEST_P(Form, GivesTheSameBytesInAnyCompany) {
  const std::vector<Request> all = requests(1, {1, 2, 33, 64, 65, 130, 255, 256, 257, 300, 64, 17});
  Loop alone = loop();
  alone.slots = 1;
  alone.graphs = false;
  Outcomes expected = run_on_card(folder_.path(), config(), alone, all);
  for (const uint32_t slots : {3u, 8u}) {
    Loop crowded = loop();
    crowded.slots = slots;
    crowded.prefill_tokens = slots * 24;
    // Too few pages for all slots at full length: pages change hands.
    crowded.kv_pages = slots + 2;
    Outcomes got = run_on_card(folder_.path(), config(), crowded, all, slots);
    ASSERT_EQ(got.size(), all.size());
    for (const auto& [id, outcome] : expected) {
      ASSERT_FALSE(outcome.failure) << outcome.failure->message;
      ASSERT_FALSE(got[id].failure) << got[id].failure->message;
      expect_equal_results(got[id].result, outcome.result, id);
    }
  }
}

double mean_difference(const Outcomes& got, const Outcomes& expected, size_t& count) {
  double sum = 0;
  count = 0;
  for (const auto& [id, outcome] : expected) {
    const std::vector<float>& mine = got.at(id).result.prompt_logprobs;
    for (size_t i = 1; i < outcome.result.prompt_logprobs.size(); ++i) {
      sum += std::abs(mine[i] - outcome.result.prompt_logprobs[i]);
      ++count;
    }
  }
  return sum / static_cast<double>(count);
}

TEST_P(Form, AgreesWithTheCpu) {
  std::vector<Request> all = requests(2, {1, 40, 70, 200});
  for (Request& request : all) {
    request.temperature = 0;
    request.logprobs = 2;
    request.prompt_logprobs = true;
    request.stop.clear();
    request.ignore_eos = true;
  }
  const Outcomes card = run_on_card(folder_.path(), config(), loop(), all);
  const Outcomes exact = run_on_cpu(folder_.path(), config(), loop(), all, DType::float32);
  const Outcomes cpu = run_on_cpu(folder_.path(), config(), loop(), all, DType::bfloat16);
  size_t count = 0;
  const double error = mean_difference(card, exact, count);
  const double cpu_error = mean_difference(cpu, exact, count);
  ASSERT_GT(count, 300u);
  std::printf("mean error of log-probabilities: %.4f, of the CPU in bfloat16 %.4f\n", error, cpu_error);
}

INSTANTIATE_TEST_SUITE_P(Forms, Form,
                         testing::Combine(testing::Values("40b", "7b"),
                                          testing::Values(cuda::RowFormat::bf16, cuda::RowFormat::e4m3, cuda::RowFormat::int8)),
                         [](const auto& test) {
                           const cuda::RowFormat format = std::get<1>(test.param);
                           return std::string("Form") + std::get<0>(test.param) +
                                  (format == cuda::RowFormat::bf16 ? "Bf16" : format == cuda::RowFormat::e4m3 ? "Fp8" : "Int8");
                         });

}  // namespace
}  // namespace eyrie::test
