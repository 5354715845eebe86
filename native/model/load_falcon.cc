#include "model/load_falcon.h"

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "io/checkpoint.h"
#include "io/quoted_text.h"
#include "model/block_reader.h"
#include "model/tensor_values.h"
#include "model/weight_plan.h"

namespace eyrie {

namespace {

/// Rows of a block are a multiple of this where they are not the last: packing on the CPU takes panels of 32.
constexpr int64_t kRowsStep = 32;

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

std::vector<float> read_scales(const Checkpoint& checkpoint, const TensorInfo& tensor, int64_t first, int64_t count) {
  std::vector<float> scales = read_vector(checkpoint, tensor, first, count);
  const auto negative = std::find_if(scales.begin(), scales.end(), [](float scale) { return scale < 0; });
  if (negative == scales.end()) return scales;
  throw Error(ErrorCode::model_invalid, checkpoint.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " holds the scale " +
                                            std::to_string(*negative) + " of row " + std::to_string(first + (negative - scales.begin())) +
                                            "; scales are not negative, convert the model again");
}

/// Neighbouring rows of a tensor that are read at once.
struct Block {
  const MatrixPlan* matrix = nullptr;
  int64_t first_row = 0;
  int64_t rows = 0;

  uint64_t row_bytes() const { return matrix->tensor->shape.back() * dtype_bytes(matrix->tensor->dtype); }
  BlockRange range() const {
    return {matrix->tensor, static_cast<uint64_t>(first_row) * row_bytes(), static_cast<uint64_t>(rows) * row_bytes()};
  }
};

/// Raises `block_bytes` to what the widest matrix needs.
std::vector<Block> cut_into_blocks(const WeightPlan& plan, uint64_t& block_bytes) {
  std::vector<Block> blocks;
  const auto wanted = static_cast<int64_t>(block_bytes);
  for (const MatrixPlan& matrix : plan.matrices) {
    const uint64_t row_bytes = Block{&matrix}.row_bytes();
    const auto rows = static_cast<int64_t>(matrix.tensor->shape.front());
    const int64_t rows_max = std::max(kRowsStep, wanted / static_cast<int64_t>(row_bytes) / kRowsStep * kRowsStep);
    block_bytes = std::max(block_bytes, row_bytes * static_cast<uint64_t>(rows_max));
    for (int64_t row = 0; row < rows; row += rows_max) blocks.push_back({&matrix, row, std::min(rows_max, rows - row)});
  }
  block_bytes = (block_bytes + 63) / 64 * 64;
  return blocks;
}

void refuse_if_nonfinite(const Checkpoint& checkpoint, const MatrixPlan& matrix) {
  for (const MatrixPart& part : matrix.parts) {
    if (part.target->nonfinite() > 0) refuse_nonfinite(checkpoint, *matrix.tensor);
  }
}

void put(const Checkpoint& checkpoint, const Block& block, const std::byte* bytes) {
  const MatrixPlan& matrix = *block.matrix;
  std::vector<float> scales;
  if (matrix.scales != nullptr) scales = read_scales(checkpoint, *matrix.scales, block.first_row, block.rows);
  for (const MatrixPart& part : matrix.parts) {
    const int64_t begin = std::max(part.source_row, block.first_row);
    const int64_t end = std::min(part.source_row + part.rows, block.first_row + block.rows);
    if (begin >= end) continue;
    const int64_t skipped = begin - block.first_row;
    part.target->put_rows(part.target_row + begin - part.source_row, end - begin,
                          bytes + static_cast<uint64_t>(skipped) * block.row_bytes(), matrix.tensor->dtype,
                          scales.empty() ? nullptr : scales.data() + skipped);
  }
}

}  // namespace

void load_falcon(const std::string& directory, const FalconConfig& config, WeightSink& sink, const LoadProgress& on_progress,
                 const std::atomic<bool>& cancelled, uint64_t block_bytes) {
  const Checkpoint checkpoint = Checkpoint::open(directory);
  const WeightPlan plan = plan_weights(checkpoint, config, sink);
  read_vectors(checkpoint, plan);

  const std::vector<Block> blocks = cut_into_blocks(plan, block_bytes);
  std::vector<BlockRange> ranges;
  uint64_t total = 0;
  for (const Block& block : blocks) {
    ranges.push_back(block.range());
    total += ranges.back().bytes;
  }
  const int readers = std::max(1, sink.readers());
  const std::span<std::byte> ring = sink.ring(block_bytes, static_cast<size_t>(readers + kLoadBlocksAhead));
  BlockReader reader(checkpoint, std::move(ranges), {ring, block_bytes, readers, [&](const std::byte* block) { sink.wait_read(block); }});
  uint64_t done = 0;
  for (const Block& block : blocks) {
    if (cancelled.load(std::memory_order_relaxed)) throw Error(ErrorCode::engine_closed, "closed while loading");
    const std::span<const std::byte> bytes = reader.next();
    put(checkpoint, block, bytes.data());
    refuse_if_nonfinite(checkpoint, *block.matrix);
    done += bytes.size();
    on_progress(done, total);
  }
  sink.finish();
  for (const MatrixPlan& matrix : plan.matrices) refuse_if_nonfinite(checkpoint, matrix);
}

}  // namespace eyrie
