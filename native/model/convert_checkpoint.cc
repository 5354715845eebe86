#include "model/convert_checkpoint.h"

#include <algorithm>
#include <utility>

#include "cpu/huge_buffer.h"
#include "error.h"
#include "io/checkpoint.h"
#include "io/output_file.h"
#include "io/quoted_text.h"
#include "model/block_reader.h"
#include "model/convert_layout.h"
#include "model/convert_rows.h"
#include "model/falcon_tensors.h"
#include "model/tensor_values.h"

namespace eyrie {

namespace {

constexpr uint64_t kBufferBytes = 16u << 20;
constexpr int kBuffers = 3;

DType dtype_named(const std::string& name) {
  if (name == "bfloat16") return DType::bfloat16;
  if (name == "int8") return DType::int8;
  if (name == "fp8") return DType::fp8;
  throw Error(ErrorCode::invalid_request, "dtype " + quoted_text(name) + " is not offered for conversion; choose bfloat16, int8 or fp8");
}

std::vector<ConvertBlock> cut_into_blocks(const OutputShard& shard, uint64_t& buffer_bytes) {
  std::vector<ConvertBlock> blocks;
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
void write_shard(const Checkpoint& checkpoint, const OutputShard& shard, const std::string& directory, RowConverter& converter,
                 const std::function<void(uint64_t)>& on_bytes) {
  uint64_t buffer_bytes = 0;
  const std::vector<ConvertBlock> blocks = cut_into_blocks(shard, buffer_bytes);
  std::vector<BlockRange> ranges;
  for (const ConvertBlock& block : blocks) {
    const uint64_t bytes = row_bytes(*block.conversion->source);
    ranges.push_back({block.conversion->source, block.first_row * bytes, block.rows * bytes});
  }
  const HugeBuffer buffers(buffer_bytes * kBuffers);
  BlockReader reader(checkpoint, std::move(ranges), {{buffers.as<std::byte>(), buffers.size()}, buffer_bytes, 1, {}});
  OutputFile file(directory + "/" + shard.file_name);
  file.write_at(0, std::as_bytes(std::span(shard.header)));
  for (const ConvertBlock& block : blocks) {
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
  RowConverter converter(checkpoint, compute, report);
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
