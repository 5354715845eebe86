#include "model/load_falcon.h"

#include <algorithm>

#include "error.h"
#include "io/checkpoint.h"
#include "model/block_reader.h"
#include "model/tensor_values.h"
#include "model/weight_plan.h"

namespace eyrie {

namespace {

DType source_dtype(TensorDtype dtype) {
  switch (dtype) {
    case TensorDtype::bf16: return DType::bfloat16;
    case TensorDtype::f16: return DType::float16;
    default: return DType::float32;
  }
}

std::vector<float> read_vector(const Checkpoint& checkpoint, const TensorInfo& tensor, int64_t first, int64_t count) {
  std::vector<float> values = read_values(checkpoint, tensor, static_cast<uint64_t>(first), static_cast<uint64_t>(count));
  check_finite(checkpoint, tensor, values);
  return values;
}

void read_vectors(const Checkpoint& checkpoint, const WeightPlan& plan) {
  for (const VectorPart& part : plan.vectors) {
    const std::vector<float> values = read_vector(checkpoint, *part.tensor, part.source, part.count);
    std::copy(values.begin(), values.end(), part.target);
  }
  for (const TensorInfo* tensor : plan.zeros) require_zeros(checkpoint, *tensor);
}

/// The parts in the order of the files, cut into blocks that fit a buffer.
std::vector<MatrixPart> cut_into_blocks(const WeightPlan& plan, uint64_t& buffer_bytes) {
  std::vector<MatrixPart> blocks;
  buffer_bytes = kLoadBufferBytes;
  for (const MatrixPart& part : plan.matrices) {
    const uint64_t row_bytes = static_cast<uint64_t>(part.target->k()) * dtype_bytes(part.tensor->dtype);
    const int64_t panel = PackedLinear::kPanel;
    const int64_t rows_max = std::max(panel, static_cast<int64_t>(kLoadBufferBytes / row_bytes) / panel * panel);
    buffer_bytes = std::max(buffer_bytes, row_bytes * static_cast<uint64_t>(rows_max));
    for (int64_t row = 0; row < part.rows; row += rows_max) {
      blocks.push_back(
          {part.tensor, part.target, part.source_row + row, part.target_row + row, std::min(rows_max, part.rows - row), part.scales});
    }
  }
  std::stable_sort(blocks.begin(), blocks.end(), [](const MatrixPart& a, const MatrixPart& b) {
    return a.tensor->file != b.tensor->file ? a.tensor->file < b.tensor->file : a.tensor->offset < b.tensor->offset;
  });
  return blocks;
}

/// Packs the rows of one block. Returns whether all of them were finite.
bool pack(const Compute& compute, const Checkpoint& checkpoint, const MatrixPart& block, const std::byte* rows) {
  if (block.scales != nullptr) {
    const std::vector<float> scales = read_vector(checkpoint, *block.scales, block.source_row, block.rows);
    block.target->pack_quantised_rows(compute, block.target_row, block.rows, reinterpret_cast<const int8_t*>(rows), scales.data());
    return true;
  }
  return block.target->pack_rows(compute, block.target_row, block.rows, rows, source_dtype(block.tensor->dtype)).nonfinite == 0;
}

BlockRange range_of(const MatrixPart& block) {
  const uint64_t row_bytes = static_cast<uint64_t>(block.target->k()) * dtype_bytes(block.tensor->dtype);
  return {block.tensor, static_cast<uint64_t>(block.source_row) * row_bytes, static_cast<uint64_t>(block.rows) * row_bytes};
}

}  // namespace

std::unique_ptr<FalconWeights> load_falcon(const std::string& directory, const FalconConfig& config, DType dtype, const Compute& compute,
                                           const LoadProgress& on_progress, const std::atomic<bool>& cancelled) {
  const Checkpoint checkpoint = Checkpoint::open(directory);
  auto weights = std::make_unique<FalconWeights>(config, dtype);
  const WeightPlan plan = plan_weights(checkpoint, config, *weights);
  read_vectors(checkpoint, plan);

  uint64_t buffer_bytes = 0;
  const std::vector<MatrixPart> blocks = cut_into_blocks(plan, buffer_bytes);
  std::vector<BlockRange> ranges;
  uint64_t total = 0;
  for (const MatrixPart& block : blocks) {
    ranges.push_back(range_of(block));
    total += ranges.back().bytes;
  }
  BlockReader reader(checkpoint, std::move(ranges), buffer_bytes, kLoadBuffers);
  uint64_t done = 0;
  for (const MatrixPart& block : blocks) {
    if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::engine_closed, "closed while loading");
    const std::span<const std::byte> bytes = reader.next();
    if (!pack(compute, checkpoint, block, bytes.data())) refuse_nonfinite(checkpoint, *block.tensor);
    done += bytes.size();
    on_progress(done, total);
  }
  return weights;
}

}  // namespace eyrie
