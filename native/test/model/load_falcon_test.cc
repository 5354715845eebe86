// Loading: the fused projection is re-laid right, and no tensor is mistaken for another.

#include "cpu/backend/cpu_weight_sink.h"

#include <gtest/gtest.h>

#include <limits>

#include "test/support/expect_error.h"
#include "test/support/tiny_checkpoint.h"
#include "threads/thread_pool.h"

namespace eyrie::test {
namespace {

class LoadFalcon : public ::testing::Test {
 protected:
  std::unique_ptr<FalconWeights> load(const FalconConfig& config, const FloatTensors& tensors, DType dtype = DType::float32) {
    const TemporaryFolder folder;
    folder.write("model.safetensors", safetensors_bytes(tensors));
    return load_cpu_weights(
        folder.path(), config, dtype, compute_, [this](uint64_t done, uint64_t total) { progress_ = {done, total}; }, cancelled_);
  }

  ThreadPool pool_{2, false};
  Compute compute_ = make_compute(pool_, Isa::scalar);
  std::atomic<bool> cancelled_{false};
  std::pair<uint64_t, uint64_t> progress_;
};

/// Weights that say where they belong: row r of a matrix is r everywhere.
void number_rows(FloatTensor& tensor) {
  const uint64_t columns = tensor.shape.size() > 1 ? tensor.shape[1] : 1;
  for (size_t i = 0; i < tensor.values.size(); ++i) tensor.values[i] = static_cast<float>(i / columns);
}

TEST_F(LoadFalcon, RelaysGroupsToQueriesKeysValues) {
  for (FalconConfig config : {tiny_config(), tiny_7b_config(), tiny_rw_config()}) {
    FloatTensors tensors = tiny_tensors(config);
    number_rows(tensors["transformer.h.1.self_attention.query_key_value.weight"]);
    if (config.linear_bias) number_rows(tensors["transformer.h.1.self_attention.query_key_value.bias"]);
    const auto weights = load(config, tensors);
    const BiasedLinear& qkv = weights->layers[1].qkv;
    const uint32_t per_group = config.query_heads / config.kv_heads;
    std::vector<float> row(config.hidden_size);
    const auto expect_row = [&](uint32_t loaded, uint32_t group, uint32_t head_in_group, uint32_t dim) {
      const auto in_file = static_cast<float>((group * (per_group + 2) + head_in_group) * config.head_dim + dim);
      qkv.weight.read_row(loaded, row.data());
      EXPECT_EQ(row.front(), in_file);
      EXPECT_EQ(row.back(), in_file);
      if (config.linear_bias) {
        EXPECT_EQ(qkv.bias[loaded], in_file);
      }
    };
    for (uint32_t dim = 0; dim < config.head_dim; ++dim) {
      for (uint32_t head = 0; head < config.query_heads; ++head) {
        expect_row(head * config.head_dim + dim, head / per_group, head % per_group, dim);
      }
      for (uint32_t group = 0; group < config.kv_heads; ++group) {
        expect_row(config.query_size() + group * config.head_dim + dim, group, per_group, dim);
        expect_row(config.query_size() + config.kv_size() + group * config.head_dim + dim, group, per_group + 1, dim);
      }
    }
  }
}

TEST_F(LoadFalcon, PutsEachTensorInItsPlace) {
  FalconConfig config = tiny_config();
  config.tied_head = false;
  const FloatTensors tensors = tiny_tensors(config);
  const auto weights = load(config, tensors);
  const auto expect_matrix = [&](const PackedLinear& loaded, const std::string& name) {
    const FloatTensor& tensor = tensors.at(name);
    std::vector<float> row(tensor.shape[1]);
    for (uint64_t r = 0; r < tensor.shape[0]; ++r) {
      loaded.read_row(static_cast<int64_t>(r), row.data());
      ASSERT_TRUE(std::equal(row.begin(), row.end(), tensor.values.begin() + static_cast<std::ptrdiff_t>(r * row.size()))) << name;
    }
  };
  expect_matrix(weights->embedding, "transformer.word_embeddings.weight");
  expect_matrix(weights->head(), "lm_head.weight");
  expect_matrix(weights->layers[0].dense.weight, "transformer.h.0.self_attention.dense.weight");
  expect_matrix(weights->layers[1].up.weight, "transformer.h.1.mlp.dense_h_to_4h.weight");
  expect_matrix(weights->layers[1].down.weight, "transformer.h.1.mlp.dense_4h_to_h.weight");
  EXPECT_EQ(weights->layers[0].attention_norm.weight, tensors.at("transformer.h.0.ln_attn.weight").values);
  EXPECT_EQ(weights->layers[0].mlp_norm.bias, tensors.at("transformer.h.0.ln_mlp.bias").values);
  EXPECT_EQ(weights->final_norm.bias, tensors.at("transformer.ln_f.bias").values);
  EXPECT_EQ(progress_.first, progress_.second);
  EXPECT_GT(progress_.second, 0u);
}

TEST_F(LoadFalcon, KeepsATiedHeadOnceUnlessItIsInt8) {
  const FloatTensors tensors = tiny_tensors(tiny_config());
  const auto exact = load(tiny_config(), tensors);
  EXPECT_EQ(&exact->head(), &exact->embedding);
  const auto quantised = load(tiny_config(), tensors, DType::int8);
  EXPECT_EQ(quantised->head().dtype(), DType::int8);
  EXPECT_EQ(quantised->embedding.dtype(), DType::bfloat16);
}

TEST_F(LoadFalcon, CutsBlocksAnywhere) {
  const FalconConfig config = tiny_config();
  const TemporaryFolder folder;
  write_checkpoint(folder, config);
  for (const DType dtype : {DType::float32, DType::int8}) {  // int8: the embedding goes to two places
    std::vector<std::vector<float>> seen;
    for (const uint64_t block_bytes : {kLoadBlockBytes, uint64_t{8192}}) {
      FalconWeights weights(config, dtype);
      CpuWeightSink sink(config, weights, compute_);
      uint64_t last = 0, calls = 0;
      load_falcon(
          folder.path(), config, sink,
          [&](uint64_t done, uint64_t) {
            EXPECT_GT(done, last);
            last = done;
            ++calls;
          },
          cancelled_, block_bytes);
      EXPECT_EQ(calls, block_bytes == 8192 ? 24u : 9u);
      std::vector<float> all;
      const PackedLinear* const some[] = {&weights.layers[1].qkv.weight, &weights.layers[0].down.weight, &weights.head(),
                                          &weights.embedding};
      for (const PackedLinear* packed : some) {
        const size_t at = all.size();
        all.resize(at + static_cast<size_t>(packed->n() * packed->k()));
        for (int64_t row = 0; row < packed->n(); ++row) packed->read_row(row, all.data() + at + static_cast<size_t>(row * packed->k()));
      }
      seen.push_back(std::move(all));
    }
    EXPECT_EQ(seen[0], seen[1]);
  }
}

TEST_F(LoadFalcon, EndsWithinABlockWhenCancelled) {
  const TemporaryFolder folder;
  write_checkpoint(folder, tiny_config());
  FalconWeights weights(tiny_config(), DType::float32);
  CpuWeightSink sink(tiny_config(), weights, compute_);
  int calls = 0;
  expect_error(ErrorCode::engine_closed, "closed while loading", [&] {
    load_falcon(folder.path(), tiny_config(), sink, [&](uint64_t, uint64_t) { cancelled_ = ++calls == 3; }, cancelled_, 8192);
  });
  EXPECT_EQ(calls, 3);
}

TEST_F(LoadFalcon, RefusesNotANumberInAnyMatrix) {
  for (const char* name : {"transformer.word_embeddings.weight", "transformer.h.1.mlp.dense_4h_to_h.weight", "transformer.ln_f.weight"}) {
    FloatTensors tensors = tiny_tensors(tiny_config());
    tensors[name].values.back() = std::numeric_limits<float>::quiet_NaN();
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::int8}) {
      expect_error(ErrorCode::model_invalid, std::string(name).substr(12), [&] { load(tiny_config(), tensors, dtype); });
    }
  }
}

}  // namespace
}  // namespace eyrie::test
