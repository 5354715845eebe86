// Loading to a card: the values are the CPU's, whatever the files, the form, the size of the blocks, the share of a rank and how late
// the card is.

#include "cuda/weights.h"

#include <filesystem>
#include <limits>
#include <numeric>

#include "cpu/backend/cpu_weight_sink.h"
#include "model/convert_checkpoint.h"
#include "model/load_falcon.h"
#include "numbers/row_scale.h"
#include "test/emulation/card.h"
#include "test/support/expect_error.h"
#include "test/support/tiny_archive.h"

namespace eyrie::cuda::test {
namespace {

using namespace eyrie::test;

constexpr uint64_t kSmallBlocks = 4096;     // 21 rows of tiny_config(): 32, in blocks of 6 KiB
constexpr uint64_t kLargeBlocks = 1 << 20;  // each matrix in one
constexpr RowFormat kFormats[] = {RowFormat::bf16, RowFormat::e4m3, RowFormat::int8};

DType dtype_of(RowFormat format) {
  return format == RowFormat::bf16 ? DType::bfloat16 : format == RowFormat::e4m3 ? DType::fp8 : DType::int8;
}

/// A matrix as floats, [n, k].
using Values = std::vector<float>;

Values read(Card& card, const Matrix& matrix) {
  std::vector<uint8_t> codes(static_cast<size_t>(matrix.n * matrix.k) * (matrix.format == RowFormat::bf16 ? 2 : 1));
  std::vector<float> scales(static_cast<size_t>(matrix.n), 1.0f);
  card.stream.copy_to_host(codes.data(), matrix.values, codes.size());
  if (matrix.scales != nullptr) card.stream.copy_to_host(scales.data(), matrix.scales, scales.size() * sizeof(float));
  card.stream.synchronize();
  Values values(static_cast<size_t>(matrix.n * matrix.k));
  for (size_t i = 0; i < values.size(); ++i) {
    const float scale = scales[i / static_cast<size_t>(matrix.k)];
    if (matrix.format == RowFormat::bf16) {
      values[i] = to_float(bf16{static_cast<uint16_t>(codes[2 * i] | codes[2 * i + 1] << 8)});
    } else if (matrix.format == RowFormat::e4m3) {
      values[i] = to_float(e4m3{codes[i]}) * scale;
    } else {
      values[i] = static_cast<float>(static_cast<int8_t>(codes[i])) * scale;
    }
  }
  return values;
}

Values read(Card& card, const float* device, uint32_t size) {
  Values values(size);
  card.stream.copy_to_host(values.data(), device, size * sizeof(float));
  card.stream.synchronize();
  return values;
}

Values read(const PackedLinear& packed) {
  Values values(static_cast<size_t>(packed.n() * packed.k()));
  for (int64_t row = 0; row < packed.n(); ++row) packed.read_row(row, values.data() + row * packed.k());
  return values;
}

/// What e4m3 makes of rows, by the definition.
Values in_e4m3(const Values& values, size_t k) {
  Values result(values.size());
  for (size_t row = 0; row < values.size() / k; ++row) {
    float largest = 0;
    for (size_t i = row * k; i < (row + 1) * k; ++i) largest = std::max(largest, std::fabs(values[i]));
    const float scale = row_scale(largest, kLargestE4m3);
    for (size_t i = row * k; i < (row + 1) * k; ++i) result[i] = to_float(to_e4m3(values[i] * (1.0f / scale))) * scale;
  }
  return result;
}

class WeightsOnCard : public testing::Test {
 protected:
  ~WeightsOnCard() override { emulation::set_late_streams(late_before_); }

  void load(Weights& weights, const FalconConfig& config, const std::string& folder, uint64_t block_bytes = kSmallBlocks) {
    const std::unique_ptr<WeightSink> sink = weights.sink(card_.stream);
    load_falcon(folder, config, *sink, [](uint64_t, uint64_t) {}, cancelled_, block_bytes);
  }
  std::unique_ptr<FalconWeights> on_cpu(const FalconConfig& config, const std::string& folder, DType dtype) {
    return load_cpu_weights(folder, config, dtype, compute_, [](uint64_t, uint64_t) {}, cancelled_);
  }

  void expect_cpus(const Weights& weights, const FalconConfig& config, const std::string& folder, RowFormat format);

  bool late_before_ = emulation::late_streams();
  Card card_;
  ThreadPool pool_{1, false};
  Compute compute_ = make_compute(pool_, Isa::scalar);
  std::atomic<bool> cancelled_{false};
};

void WeightsOnCard::expect_cpus(const Weights& weights, const FalconConfig& config, const std::string& folder, RowFormat format) {
  const auto narrow = on_cpu(config, folder, DType::bfloat16);
  EXPECT_EQ(read(card_, weights.embedding), read(narrow->embedding));
  EXPECT_EQ(read(card_, weights.head), read(narrow->head()));
  EXPECT_EQ(read(card_, weights.final_norm.gain, config.hidden_size), narrow->final_norm.weight);
  EXPECT_EQ(read(card_, weights.final_norm.bias, config.hidden_size), narrow->final_norm.bias);
  const auto layers = on_cpu(config, folder, format == RowFormat::e4m3 ? DType::float32 : dtype_of(format));
  const auto expect = [&](const Matrix& matrix, const PackedLinear& packed) {
    const Values values = read(packed);
    EXPECT_EQ(read(card_, matrix), format == RowFormat::e4m3 ? in_e4m3(values, static_cast<size_t>(packed.k())) : values);
  };
  for (uint32_t index = 0; index < config.layers; ++index) {
    const LayerMatrices& layer = weights.layers[index];
    const LayerWeights& cpu = layers->layers[index];
    EXPECT_EQ(read(card_, layer.attention_norm.gain, config.hidden_size), cpu.attention_norm.weight);
    EXPECT_EQ(read(card_, layer.attention_norm.bias, config.hidden_size), cpu.attention_norm.bias);
    if (config.norms_per_layer == 2) {
      EXPECT_EQ(read(card_, layer.mlp_norm.gain, config.hidden_size), cpu.mlp_norm.weight);
    } else {
      EXPECT_EQ(layer.mlp_norm.gain, nullptr);
    }
    expect(layer.qkv, cpu.qkv.weight);
    expect(layer.dense, cpu.dense.weight);
    expect(layer.up, cpu.up.weight);
    expect(layer.down, cpu.down.weight);
  }
}

TEST_F(WeightsOnCard, AreTheCpusFromAnyFileInAnyForm) {
  FalconConfig untied = tiny_config();
  untied.tied_head = false;
  untied.hidden_size = 36;  // no multiple of 8
  untied.head_dim = 6;
  untied.ffn_size = 70;
  for (const FalconConfig& config : {tiny_config(), tiny_7b_config(), untied}) {
    const FloatTensors tensors = tiny_tensors(config);
    const TemporaryFolder safetensors, archive;
    safetensors.write("model.safetensors", safetensors_bytes(tensors));
    archive.write("pytorch_model.bin", torch_archive_bytes(tensors));
    for (const RowFormat format : kFormats) {
      for (const bool late : {false, true}) {
        emulation::set_late_streams(late);
        for (const TemporaryFolder* folder : {&safetensors, &archive}) {
          Weights weights(card_.device, config, format);
          load(weights, config, folder->path(), late ? kSmallBlocks : kLargeBlocks);
          expect_cpus(weights, config, safetensors.path(), format);
        }
      }
    }
  }
}

class StoredWeights : public WeightsOnCard {
 protected:
  /// A checkpoint of `tensors` as `eyrie model convert` writes it.
  void convert(const FalconConfig& config, const FloatTensors& tensors, const std::string& dtype, const TemporaryFolder& out) {
    const TemporaryFolder source;
    source.write("model.safetensors", safetensors_bytes(tensors));
    const ConvertReport report =
        convert_checkpoint({source.path(), out.path(), config, dtype, 1 << 30, 1}, [](uint64_t, uint64_t) {}, cancelled_);
    ASSERT_EQ(report.files.size(), 1u);
    std::filesystem::rename(out.path() + "/" + report.files[0], out.path() + "/model.safetensors");
  }
};

TEST_F(StoredWeights, OfAConversionAreThoseThatLoadingMakes) {
  FalconConfig config = tiny_config();
  config.tied_head = false;
  const FloatTensors tensors = tiny_tensors(config);
  const TemporaryFolder original;
  original.write("model.safetensors", safetensors_bytes(tensors));
  for (const RowFormat format : {RowFormat::e4m3, RowFormat::int8}) {
    const TemporaryFolder stored;
    convert(config, tensors, dtype_name(dtype_of(format)), stored);
    for (const bool late : {false, true}) {
      emulation::set_late_streams(late);
      Weights made(card_.device, config, format), loaded(card_.device, config, format), widened(card_.device, config, RowFormat::bf16);
      load(made, config, original.path());
      load(loaded, config, stored.path());
      load(widened, config, stored.path());
      for (uint32_t index = 0; index < config.layers; ++index) {
        const LayerMatrices &a = made.layers[index], &b = loaded.layers[index], &c = widened.layers[index];
        for (const auto matrix : {&LayerMatrices::qkv, &LayerMatrices::dense, &LayerMatrices::up, &LayerMatrices::down}) {
          const Values values = read(card_, a.*matrix);
          EXPECT_EQ(read(card_, b.*matrix), values);
          Values narrow = values;
          for (float& value : narrow) value = to_float(to_bf16(value));
          EXPECT_EQ(read(card_, c.*matrix), narrow);
        }
      }
      // int8 stores the head in 8 bits, which a card widens; e4m3 leaves it alone.
      if (format == RowFormat::e4m3) {
        EXPECT_EQ(read(card_, loaded.head), read(card_, made.head));
      } else {
        Values head = read(on_cpu(config, stored.path(), DType::int8)->head());
        for (float& value : head) value = to_float(to_bf16(value));
        EXPECT_EQ(read(card_, loaded.head), head);
      }
    }
  }
}

TEST_F(StoredWeights, OfOtherCodesAreRefused) {
  const TemporaryFolder stored;
  convert(tiny_config(), tiny_tensors(tiny_config()), "fp8", stored);
  Weights weights(card_.device, tiny_config(), RowFormat::int8);
  expect_error(ErrorCode::invalid_request, "holds 8-bit weights (F8_E4M3), but dtype is int8; choose fp8",
               [&] { load(weights, tiny_config(), stored.path()); });
  expect_error(ErrorCode::invalid_request, "choose fp8 (on a card) or bfloat16",
               [&] { on_cpu(tiny_config(), stored.path(), DType::int8); });
}

TEST_F(StoredWeights, InFp8AreWidenedOnTheCpu) {
  const FloatTensors tensors = tiny_tensors(tiny_config());
  const TemporaryFolder stored, original;
  original.write("model.safetensors", safetensors_bytes(tensors));
  convert(tiny_config(), tensors, "fp8", stored);
  const auto exact = on_cpu(tiny_config(), original.path(), DType::float32);
  const auto widened = on_cpu(tiny_config(), stored.path(), DType::float32);
  EXPECT_EQ(read(widened->layers[1].down.weight), in_e4m3(read(exact->layers[1].down.weight), tiny_config().ffn_size));
  EXPECT_EQ(read(widened->layers[0].qkv.weight), in_e4m3(read(exact->layers[0].qkv.weight), tiny_config().hidden_size));
}

TEST_F(WeightsOnCard, SharesOfRanksMakeTheWhole) {
  const FalconConfig config = tiny_config();
  const TemporaryFolder folder;
  write_checkpoint(folder, config);
  for (const RowFormat format : kFormats) {
    Weights whole(card_.device, config, format);
    load(whole, config, folder.path());
    for (int rank = 0; rank < 2; ++rank) {
      Weights share(card_.device, config, format, {rank, 2});
      load(share, config, folder.path());
      EXPECT_EQ(share.bytes(), Weights::bytes_needed(config, format, {rank, 2}));
      const int64_t queries = config.query_size(), keys = config.kv_size(), ffn = config.ffn_size;
      // Rows `from` of the whole, columns [first, first + columns).
      const auto expect = [&](const Matrix& matrix, const Matrix& of, std::vector<int64_t> from, int64_t first) {
        ASSERT_EQ(matrix.n, static_cast<int64_t>(from.size()));
        const Values part = read(card_, matrix), all = read(card_, of);
        for (int64_t row = 0; row < matrix.n; ++row) {
          for (int64_t i = 0; i < matrix.k; ++i) {
            ASSERT_EQ(part[static_cast<size_t>(row * matrix.k + i)],
                      all[static_cast<size_t>(from[static_cast<size_t>(row)] * of.k + first + i)]);
          }
        }
      };
      const auto rows = [](std::initializer_list<std::pair<int64_t, int64_t>> ranges) {
        std::vector<int64_t> all;
        for (const auto& [begin, count] : ranges) {
          for (int64_t i = 0; i < count; ++i) all.push_back(begin + i);
        }
        return all;
      };
      const LayerMatrices &mine = share.layers[1], &all = whole.layers[1];
      expect(mine.qkv, all.qkv,
             rows({{rank * queries / 2, queries / 2}, {queries + rank * keys / 2, keys / 2}, {queries + keys + rank * keys / 2, keys / 2}}),
             0);
      expect(mine.dense, all.dense, rows({{0, config.hidden_size}}), rank * queries / 2);
      expect(mine.up, all.up, rows({{rank * ffn / 2, ffn / 2}}), 0);
      expect(mine.down, all.down, rows({{0, config.hidden_size}}), rank * ffn / 2);
      EXPECT_EQ(read(card_, share.embedding), read(card_, whole.embedding));
    }
  }
}

TEST_F(WeightsOnCard, NotANumberIsRefusedByName) {
  for (const bool late : {false, true}) {
    emulation::set_late_streams(late);
    for (const char* name :
         {"transformer.word_embeddings.weight", "transformer.h.1.self_attention.query_key_value.weight", "transformer.ln_f.weight"}) {
      for (const float poison : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        FloatTensors tensors = tiny_tensors(tiny_config());
        tensors[name].values.back() = poison;
        const TemporaryFolder folder;
        folder.write("model.safetensors", safetensors_bytes(tensors));
        for (const RowFormat format : kFormats) {
          Weights weights(card_.device, tiny_config(), format);
          expect_error(ErrorCode::model_invalid, std::string(name).substr(12), [&] { load(weights, tiny_config(), folder.path()); });
        }
      }
    }
  }
}

TEST_F(WeightsOnCard, RefusesWhatACardCannotHold) {
  expect_error(ErrorCode::unsupported_device, "linear_bias", [&] { Weights(card_.device, tiny_rw_config(), RowFormat::bf16); });
  expect_error(ErrorCode::invalid_request, "kvHeads 2", [&] { Weights(card_.device, tiny_config(), RowFormat::bf16, {0, 4}); });
  emulation::set_device_bytes(Weights::bytes_needed(tiny_config(), RowFormat::bf16) / 2);
  expect_error(ErrorCode::out_of_memory, "", [&] { Weights(card_.device, tiny_config(), RowFormat::bf16); });
  emulation::set_device_bytes(emulation::kDeviceBytes);
}

TEST_F(WeightsOnCard, CountItsBytes) {
  FalconConfig config = tiny_config();
  const uint64_t norm = 256, layer_values = 48 * 80 + 48 * 48 + 2 * 48 * 80;
  EXPECT_EQ(Weights::bytes_needed(config, RowFormat::bf16), 2 * (layer_values * 2 + 4 * norm) + 2 * norm + 97 * 48 * 2);
  EXPECT_EQ(Weights::bytes_needed(config, RowFormat::e4m3), 2 * (layer_values + 512 + 256 + 512 + 256 + 4 * norm) + 2 * norm + 97 * 48 * 2);
  config.tied_head = false;
  EXPECT_EQ(Weights::bytes_needed(config, RowFormat::bf16), 2 * (layer_values * 2 + 4 * norm) + 2 * norm + 2 * 97 * 48 * 2);
}

TEST_F(WeightsOnCard, RandomOnesLookLikeThoseOfAModel) {
  FalconConfig config = tiny_config();
  config.tied_head = false;
  for (const RowFormat format : kFormats) {
    Weights weights(card_.device, config, format), again(card_.device, config, format), other(card_.device, config, format);
    weights.fill_random(card_.stream, 7);
    again.fill_random(card_.stream, 7);
    other.fill_random(card_.stream, 8);
    const Values values = read(card_, weights.layers[1].down);
    EXPECT_EQ(read(card_, again.layers[1].down), values);
    EXPECT_NE(read(card_, other.layers[1].down), values);
    EXPECT_NE(read(card_, weights.layers[1].up), read(card_, weights.layers[0].up));
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0, beyond = 0;
    const double deviation = 1 / std::sqrt(80.0);
    for (const float value : values) {
      squares += value * value;
      beyond += std::fabs(value) > 2 * deviation ? 1 : 0;
    }
    EXPECT_NEAR(mean, 0, 0.05 * deviation);
    EXPECT_NEAR(std::sqrt(squares / count), deviation, 0.05 * deviation);
    EXPECT_NEAR(beyond / count, 0.04, 0.02);  // of a normal distribution: 0.046
    EXPECT_EQ(read(card_, weights.layers[0].mlp_norm.gain, 48), Values(48, 1.0f));
    EXPECT_EQ(read(card_, weights.final_norm.bias, 48), Values(48, 0.0f));
    EXPECT_NE(read(card_, weights.head), read(card_, weights.embedding));
  }
}

}  // namespace
}  // namespace eyrie::cuda::test
