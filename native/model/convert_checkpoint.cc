#include "model/convert_checkpoint.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "io/checkpoint.h"
#include "io/output_file.h"
#include "io/quoted_text.h"
#include "model/block_reader.h"
#include "model/convert_layout.h"
#include "model/falcon_tensors.h"
#include "model/tensor_values.h"

namespace eyrie {

namespace {

constexpr uint64_t kBufferBytes = 16u << 20;
constexpr int kBuffers = 3;

DType dtype_named(const std::string& name) {
  if (name == "bfloat16") return DType::bfloat16;
  if (name == "int8") return DType::int8;
  throw Error(ErrorCode::invalid_request, "dtype " + quoted_text(name) + " is not offered for conversion; choose bfloat16 or int8");
}

DType source_dtype(TensorDtype dtype) {
  return dtype == TensorDtype::bf16 ? DType::bfloat16 : dtype == TensorDtype::f16 ? DType::float16 : DType::float32;
}

/// Whole rows of one source tensor that fit a buffer. A vector is one row.
struct Block {
  const Conversion* conversion = nullptr;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

uint64_t columns_of(const TensorInfo& tensor) { return tensor.shape.back(); }
uint64_t rows_of(const TensorInfo& tensor) { return tensor.shape.size() > 1 ? tensor.shape.front() : 1; }
uint64_t row_bytes(const TensorInfo& tensor) { return columns_of(tensor) * dtype_bytes(tensor.dtype); }

std::vector<Block> cut_into_blocks(const OutputShard& shard, uint64_t& buffer_bytes) {
  std::vector<Block> blocks;
  buffer_bytes = kBufferBytes;
  for (const Conversion& conversion : shard.conversions) {
    const uint64_t bytes = row_bytes(*conversion.source);
    const uint64_t rows_max = std::max<uint64_t>(1, kBufferBytes / bytes);
    buffer_bytes = std::max(buffer_bytes, bytes);
    for (uint64_t row = 0; row < rows_of(*conversion.source); row += rows_max) {
      blocks.push_back({&conversion, row, std::min(rows_max, rows_of(*conversion.source) - row)});
    }
  }
  return blocks;
}

class Converter {
 public:
  Converter(const Checkpoint& checkpoint, const Compute& compute, ConvertReport& report)
      : checkpoint_(checkpoint), compute_(compute), report_(report) {}

  void write(const Block& block, std::span<const std::byte> source, const OutputShard& shard, OutputFile& file);

 private:
  void to_bfloat16(const Block& block, std::span<const std::byte> source);
  void to_float32(const Block& block, std::span<const std::byte> source);
  std::vector<float> to_int8(const Block& block, std::span<const std::byte> source);
  std::vector<float> copy_int8(const Block& block, std::span<const std::byte> source);
  void refuse_if(uint64_t nonfinite, const Block& block) const;

  const Checkpoint& checkpoint_;
  const Compute& compute_;
  ConvertReport& report_;
  std::vector<std::byte> out_;
};

void Converter::refuse_if(uint64_t nonfinite, const Block& block) const {
  if (nonfinite == 0) return;
  const TensorInfo& tensor = *block.conversion->source;
  throw Error(ErrorCode::model_invalid, checkpoint_.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " holds " +
                                            std::to_string(nonfinite) + " NaN or infinite values in rows " +
                                            std::to_string(block.first_row) + " to " + std::to_string(block.first_row + block.rows - 1) +
                                            "; the file is damaged or the model cannot be used");
}

void Converter::to_bfloat16(const Block& block, std::span<const std::byte> source) {
  const TensorInfo& tensor = *block.conversion->source;
  const auto columns = static_cast<int64_t>(columns_of(tensor));
  std::vector<RowReport> rows(block.rows);
  out_.resize(block.rows * columns_of(tensor) * sizeof(bf16));
  compute_.pool->parallel_for(static_cast<int64_t>(block.rows), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      rows[static_cast<size_t>(row)] =
          compute_.vector->to_bfloat16(source.data() + static_cast<size_t>(row) * row_bytes(tensor), source_dtype(tensor.dtype), columns,
                                       reinterpret_cast<bf16*>(out_.data()) + row * columns);
    }
  });
  uint64_t nonfinite = 0;
  for (const RowReport& row : rows) {
    report_.rounded += row.rounded;
    nonfinite += row.nonfinite;
  }
  refuse_if(nonfinite, block);
}

void Converter::to_float32(const Block& block, std::span<const std::byte> source) {
  const TensorInfo& tensor = *block.conversion->source;
  const auto values = static_cast<int64_t>(block.rows * columns_of(tensor));
  uint64_t nonfinite = 0;
  compute_.vector->max_abs(source.data(), source_dtype(tensor.dtype), values, &nonfinite);
  refuse_if(nonfinite, block);
  out_.resize(static_cast<size_t>(values) * sizeof(float));
  compute_.vector->to_float32(source.data(), source_dtype(tensor.dtype), values, reinterpret_cast<float*>(out_.data()));
}

/// As PackedLinear::pack_rows() does it.
std::vector<float> Converter::to_int8(const Block& block, std::span<const std::byte> source) {
  const TensorInfo& tensor = *block.conversion->source;
  const DType type = source_dtype(tensor.dtype);
  const auto columns = static_cast<int64_t>(columns_of(tensor));
  std::vector<float> scales(block.rows);
  std::vector<uint64_t> nonfinite(block.rows);
  out_.resize(block.rows * columns_of(tensor));
  compute_.pool->parallel_for(static_cast<int64_t>(block.rows), 16, [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      const auto index = static_cast<size_t>(row);
      const std::byte* values = source.data() + index * row_bytes(tensor);
      scales[index] = compute_.vector->max_abs(values, type, columns, &nonfinite[index]) / 127.0f;
      compute_.vector->to_int8(values, type, columns, scales[index], reinterpret_cast<int8_t*>(out_.data()) + row * columns);
    }
  });
  uint64_t bad = 0;
  for (const uint64_t count : nonfinite) bad += count;
  refuse_if(bad, block);
  report_.quantised += out_.size();
  return scales;
}

std::vector<float> Converter::copy_int8(const Block& block, std::span<const std::byte> source) {
  out_.assign(source.begin(), source.end());
  report_.quantised += out_.size();
  std::vector<float> scales = read_values(checkpoint_, *block.conversion->source_scales, block.first_row, block.rows);
  check_finite(checkpoint_, *block.conversion->source_scales, scales);
  return scales;
}

void Converter::write(const Block& block, std::span<const std::byte> source, const OutputShard& shard, OutputFile& file) {
  const Conversion& conversion = *block.conversion;
  std::vector<float> scales;
  if (conversion.source_scales != nullptr) {
    scales = copy_int8(block, source);
  } else if (conversion.weight.dtype == TensorDtype::i8) {
    scales = to_int8(block, source);
  } else if (conversion.weight.dtype == TensorDtype::f32) {
    to_float32(block, source);
  } else {
    to_bfloat16(block, source);
  }
  const uint64_t bytes_per_row = out_.size() / block.rows;
  file.write_at(shard.header.size() + conversion.weight.offset + block.first_row * bytes_per_row, out_);
  for (const OutputTensor& tensor : conversion.scales) {
    file.write_at(shard.header.size() + tensor.offset + block.first_row * sizeof(float), std::as_bytes(std::span(scales)));
  }
}

void check_options(const ConvertOptions& options) {
  check_falcon_config(options.config);
  if (options.shard_bytes_max < kShardBytesMin) {
    throw Error(ErrorCode::invalid_request, "shardBytesMax is " + std::to_string(options.shard_bytes_max) + "; at least " +
                                                std::to_string(kShardBytesMin) + " is required");
  }
  if (options.threads < 1 || options.threads > 256) {
    throw Error(ErrorCode::invalid_request, "threads is " + std::to_string(options.threads) + "; 1 to 256 are allowed");
  }
}

std::vector<std::string> names_left_out(const Checkpoint& checkpoint, const std::vector<FalconTensor>& tensors) {
  std::vector<std::string> names;
  for (const FalconTensor& found : tensors) {
    if (found.role == TensorRole::zero_bias) require_zeros(checkpoint, *found.tensor);
    if (found.role == TensorRole::zero_bias || found.role == TensorRole::spare_head) names.push_back(found.tensor->name);
  }
  return names;
}

/// Reads, converts and writes one shard. `on_bytes` is called with the size of each block of the source.
void write_shard(const Checkpoint& checkpoint, const OutputShard& shard, const std::string& directory, Converter& converter,
                 const std::function<void(uint64_t)>& on_bytes) {
  uint64_t buffer_bytes = 0;
  const std::vector<Block> blocks = cut_into_blocks(shard, buffer_bytes);
  std::vector<BlockRange> ranges;
  for (const Block& block : blocks) {
    const uint64_t bytes = row_bytes(*block.conversion->source);
    ranges.push_back({block.conversion->source, block.first_row * bytes, block.rows * bytes});
  }
  BlockReader reader(checkpoint, std::move(ranges), buffer_bytes, kBuffers);
  OutputFile file(directory + "/" + shard.file_name);
  file.write_at(0, std::as_bytes(std::span(shard.header)));
  for (const Block& block : blocks) {
    const std::span<const std::byte> source = reader.next();
    converter.write(block, source, shard, file);
    on_bytes(source.size());
  }
  file.sync();
}

void list_shard(const OutputShard& shard, ConvertReport& report) {
  const auto file = static_cast<uint32_t>(report.files.size());
  const auto add = [&](const OutputTensor& tensor) {
    report.tensors.push_back({tensor.name, file});
    report.tensor_bytes += tensor.bytes;
  };
  for (const Conversion& conversion : shard.conversions) {
    add(conversion.weight);
    for (const OutputTensor& scales : conversion.scales) add(scales);
  }
  report.files.push_back(shard.file_name);
}

}  // namespace

ConvertReport convert_checkpoint(const ConvertOptions& options, const LoadProgress& on_progress, const std::atomic<bool>& cancelled) {
  check_options(options);
  const DType dtype = dtype_named(options.dtype);
  const Checkpoint checkpoint = Checkpoint::open(options.model_directory);
  const std::vector<FalconTensor> tensors = match_falcon_tensors(checkpoint, options.config);
  const std::vector<OutputShard> shards = lay_out_conversion(checkpoint, tensors, options.config.tied_head, dtype, options.shard_bytes_max);

  ThreadPool pool(static_cast<int>(options.threads), false);
  const Compute compute = make_compute(pool, resolve_isa("auto"));
  ConvertReport report;
  report.left_out = names_left_out(checkpoint, tensors);
  Converter converter(checkpoint, compute, report);
  uint64_t total = 0;
  for (const OutputShard& shard : shards) {
    for (const Conversion& conversion : shard.conversions) total += conversion.source->bytes;
  }
  uint64_t done = 0;
  for (const OutputShard& shard : shards) {
    write_shard(checkpoint, shard, options.out_directory, converter, [&](uint64_t bytes) {
      if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::engine_closed, "closed while converting");
      on_progress(done += bytes, total);
    });
    list_shard(shard, report);
  }
  return report;
}

}  // namespace eyrie
