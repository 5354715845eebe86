// The tiny checkpoints whose log-probabilities transformers computed (test/golden/falcon-tiny): in bfloat16 no further from them than
// transformers' own bfloat16 is, which is also what is asked of the CPU. What the CPU computes in float32 stands for transformers' float32
// here; test/native/golden.test.ts shows that they agree to 1e-4.

#include <filesystem>
#include <fstream>
#include <sstream>

#include "io/json_cursor.h"
#include "test/cuda/emulated_ranks.h"
#include "test/support/expect_error.h"

namespace eyrie::test {
namespace {

/// As in their config.json.
struct Checkpoint {
  const char* kind;
  FalconConfig config;
};

FalconConfig golden_config(uint32_t query_heads, uint32_t kv_heads, uint32_t head_dim, uint32_t ffn_size) {
  FalconConfig config;
  config.layers = 2;
  config.hidden_size = query_heads * head_dim;
  config.query_heads = query_heads;
  config.kv_heads = kv_heads;
  config.head_dim = head_dim;
  config.ffn_size = ffn_size;
  config.vocab_size = 320;
  config.context_tokens = 2048;
  config.tied_head = true;
  return config;
}

FalconConfig config_of(const std::string& kind) {
  if (kind == "40b") {
    return golden_config(4, 2, 64, 256);
  }
  if (kind == "7b") {
    FalconConfig config = golden_config(3, 1, 64, 768);
    config.norms_per_layer = 1;
    return config;
  }
  FalconConfig config = golden_config(2, 1, 128, 256);
  config.norms_per_layer = 1;
  config.rope_theta = 500042.0f;
  config.tied_head = false;
  return config;
}

struct Golden {
  double bf16_error_mean = 0;
  std::vector<std::vector<uint32_t>> prompts;
};

std::filesystem::path golden_folder() {
  return std::filesystem::path(__FILE__).parent_path() / ".." / ".." / ".." / "test" / "golden" / "falcon-tiny";
}

Golden read_golden(const std::string& kind) {
  std::ifstream file(golden_folder() / (kind + ".json"));
  std::stringstream text;
  text << file.rdbuf();
  const std::string json = text.str();
  Golden golden;
  // A fraction is not among the numbers that the cursor reads.
  const std::string key = "\"bf16_error_mean\":";
  golden.bf16_error_mean = std::stod(json.substr(json.find(key) + key.size()));
  JsonCursor cursor(json, kind);
  cursor.object([&](const std::string& member) {
    if (member != "prompts") return cursor.skip();
    cursor.array([&] {
      cursor.object([&](const std::string& field) {
        if (field != "token_ids") return cursor.skip();
        golden.prompts.emplace_back();
        cursor.array([&] { golden.prompts.back().push_back(static_cast<uint32_t>(cursor.unsigned_integer())); });
      });
    });
  });
  return golden;
}

class GoldenOnACard : public testing::TestWithParam<const char*> {
 protected:
  std::string folder() const { return (golden_folder() / GetParam()).string(); }
  static std::vector<Request> requests(const Golden& golden, size_t tokens_max) {
    std::vector<Request> requests;
    for (const std::vector<uint32_t>& prompt : golden.prompts) {
      if (prompt.size() > tokens_max) continue;
      Request request;
      request.prompt_ids = prompt;
      request.max_tokens = 12;
      request.temperature = 0;
      request.ignore_eos = true;
      request.logprobs = 2;
      request.prompt_logprobs = true;
      requests.push_back(std::move(request));
    }
    return requests;
  }
};

TEST_P(GoldenOnACard, IsNoLessExactThanTheReferenceInBfloat16) {
  const Golden golden = read_golden(GetParam());
  const FalconConfig config = config_of(GetParam());
  ASSERT_EQ(golden.prompts.size(), 7u);
  Loop loop;
  loop.slots = 7;
  loop.slot_tokens = 1200;
  loop.prefill_tokens = 512;
  struct Case {
    cuda::RowFormat format;
    double errors;      // of the reference in bfloat16: e4m3 rounds 16 times as coarsely, to 4 bits instead of 8
    size_t tokens_max;  // of a prompt: the emulation takes its time
    int ranks;
  };
  for (const auto& [format, errors, tokens_max, ranks] :
       {Case{cuda::RowFormat::bf16, 1, 1200, 1}, Case{cuda::RowFormat::e4m3, 16, 200, 1}, Case{cuda::RowFormat::bf16, 1, 200, 2},
        Case{cuda::RowFormat::e4m3, 16, 200, 2}}) {
    if (config.kv_heads % static_cast<uint32_t>(ranks) != 0) continue;  // refused: ranks_test.cc
    const Outcomes exact = run_on_cpu(folder(), config, loop, requests(golden, tokens_max), DType::float32);
    loop.format = format;
    loop.kv_pages = ranks == 1 ? 0 : 14;
    const std::string run = cuda::format_name(format) + std::string("_ranks_") + std::to_string(ranks);
    const Outcomes card = ranks == 1 ? run_on_card(folder(), config, loop, requests(golden, tokens_max))
                                     : run_on_ranks(ranks, folder(), config, loop, requests(golden, tokens_max));
    double sum = 0;
    size_t count = 0;
    for (const auto& [id, outcome] : exact) {
      ASSERT_FALSE(card.at(id).failure) << card.at(id).failure->message;
      const Result& got = card.at(id).result;
      for (size_t i = 1; i < outcome.result.prompt_logprobs.size(); ++i) {
        sum += std::abs(got.prompt_logprobs[i] - outcome.result.prompt_logprobs[i]);
        ++count;
      }
    }
    const double error = sum / static_cast<double>(count);
    ASSERT_GT(count, 300u);
    RecordProperty("mean_error_" + run, std::to_string(error));
    EXPECT_LE(error, golden.bf16_error_mean * errors) << run;
    size_t compared = 0;
    for (const auto& [id, outcome] : exact) {
      const Result& expected = outcome.result;
      for (size_t i = 0; i < expected.token_ids.size(); ++i) {
        if (expected.top_logprobs[2 * i] - expected.top_logprobs[2 * i + 1] < 10 * error) break;
        EXPECT_EQ(card.at(id).result.token_ids[i], expected.token_ids[i]) << run << ", prompt " << id << ", token " << i;
        ++compared;
      }
    }
    EXPECT_GT(compared, format == cuda::RowFormat::bf16 ? 20u : 0u);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, GoldenOnACard, testing::Values("40b", "7b", "11b"));

TEST(GoldenOnACardTest, RefusesTheFormWithAlibi) {
  FalconConfig config = golden_config(2, 2, 64, 512);
  config.parallel_attention = false;
  config.linear_bias = true;
  config.alibi = true;
  expect_error(ErrorCode::unsupported_device, "alibi is true", [&] { open_card((golden_folder() / "rw").string(), config, Loop{}); });
}

}  // namespace
}  // namespace eyrie::test
