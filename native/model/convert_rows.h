#pragma once
// The values of a conversion: rows of a source tensor become BF16, F32, or 8 bits with a scale per row.

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/compute.h"
#include "io/checkpoint.h"
#include "io/output_file.h"
#include "model/convert_checkpoint.h"
#include "model/convert_layout.h"

namespace eyrie {

/// Whole rows of one source tensor that fit a buffer. A vector is one row.
struct ConvertBlock {
  const Conversion* conversion = nullptr;
  uint64_t first_row = 0;
  uint64_t rows = 0;
};

inline uint64_t columns_of(const TensorInfo& tensor) { return tensor.shape.back(); }
inline uint64_t rows_of(const TensorInfo& tensor) { return tensor.shape.size() > 1 ? tensor.shape.front() : 1; }
inline uint64_t row_bytes(const TensorInfo& tensor) { return columns_of(tensor) * dtype_bytes(tensor.dtype); }

class RowConverter {
 public:
  /// Counts in `report` what is rounded and quantised.
  RowConverter(const Checkpoint& checkpoint, const Compute& compute, ConvertReport& report)
      : checkpoint_(checkpoint), compute_(compute), report_(report) {}

  /// Converts the rows of a block and writes them to their place. Throws model_invalid for NaN and infinite values.
  void write(const ConvertBlock& block, std::span<const std::byte> source, const OutputShard& shard, OutputFile& file);

 private:
  void to_bfloat16(const ConvertBlock& block, std::span<const std::byte> source);
  void to_float32(const ConvertBlock& block, std::span<const std::byte> source);
  std::vector<float> to_8_bits(const ConvertBlock& block, std::span<const std::byte> source);
  std::vector<float> copy_8_bits(const ConvertBlock& block, std::span<const std::byte> source);
  float quantise_row(const std::byte* values, const ConvertBlock& block, std::byte* out, uint64_t& nonfinite) const;
  void refuse_if(uint64_t nonfinite, const ConvertBlock& block) const;

  const Checkpoint& checkpoint_;
  const Compute& compute_;
  ConvertReport& report_;
  std::vector<std::byte> out_;
};

}  // namespace eyrie
