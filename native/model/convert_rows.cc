#include "model/convert_rows.h"

#include <algorithm>
#include <array>
#include <string>

#include "cpu/vector/vector_kernels.h"
#include "error.h"
#include "io/quoted_text.h"
#include "model/tensor_values.h"
#include "numbers/row_scale.h"

namespace eyrie {

namespace {

DType source_dtype(TensorDtype dtype) {
  return dtype == TensorDtype::bf16 ? DType::bfloat16 : dtype == TensorDtype::f16 ? DType::float16 : DType::float32;
}

}  // namespace

void RowConverter::refuse_if(uint64_t nonfinite, const ConvertBlock& block) const {
  if (nonfinite == 0) return;
  const TensorInfo& tensor = *block.conversion->source;
  throw Error(ErrorCode::model_invalid, checkpoint_.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " holds " +
                                            std::to_string(nonfinite) + " NaN or infinite values in rows " +
                                            std::to_string(block.first_row) + " to " + std::to_string(block.first_row + block.rows - 1) +
                                            "; the file is damaged or the model cannot be used");
}

void RowConverter::to_bfloat16(const ConvertBlock& block, std::span<const std::byte> source) {
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

void RowConverter::to_float32(const ConvertBlock& block, std::span<const std::byte> source) {
  const TensorInfo& tensor = *block.conversion->source;
  const auto values = static_cast<int64_t>(block.rows * columns_of(tensor));
  uint64_t nonfinite = 0;
  compute_.vector->max_abs(source.data(), source_dtype(tensor.dtype), values, &nonfinite);
  refuse_if(nonfinite, block);
  out_.resize(static_cast<size_t>(values) * sizeof(float));
  compute_.vector->to_float32(source.data(), source_dtype(tensor.dtype), values, reinterpret_cast<float*>(out_.data()));
}

/// As the weights of an engine are quantised while they are loaded: PackedLinear::pack_rows(), cuda/kernels/weights.h.
float RowConverter::quantise_row(const std::byte* values, const ConvertBlock& block, std::byte* out, uint64_t& nonfinite) const {
  const TensorInfo& tensor = *block.conversion->source;
  const DType type = source_dtype(tensor.dtype);
  const auto columns = static_cast<int64_t>(columns_of(tensor));
  const float largest = compute_.vector->max_abs(values, type, columns, &nonfinite);
  if (block.conversion->weight.dtype == TensorDtype::i8) {
    const float scale = largest / kLargestInt8;
    compute_.vector->to_int8(values, type, columns, scale, reinterpret_cast<int8_t*>(out));
    return scale;
  }
  const float scale = row_scale(largest, kLargestE4m3), inverse = reciprocal(scale);
  std::array<float, 1024> piece;
  for (int64_t at = 0; at < columns; at += static_cast<int64_t>(piece.size())) {
    const int64_t count = std::min(columns - at, static_cast<int64_t>(piece.size()));
    compute_.vector->to_float32(values + static_cast<size_t>(at) * dtype_bytes(type), type, count, piece.data());
    for (int64_t i = 0; i < count; ++i) out[at + i] = std::byte{to_e4m3(piece[static_cast<size_t>(i)] * inverse).bits};
  }
  return scale;
}

std::vector<float> RowConverter::to_8_bits(const ConvertBlock& block, std::span<const std::byte> source) {
  const TensorInfo& tensor = *block.conversion->source;
  const uint64_t columns = columns_of(tensor);
  std::vector<float> scales(block.rows);
  std::vector<uint64_t> nonfinite(block.rows);
  out_.resize(block.rows * columns);
  compute_.pool->parallel_for(static_cast<int64_t>(block.rows), 16, [&](int64_t begin, int64_t end, int) {
    for (auto row = static_cast<size_t>(begin); row < static_cast<size_t>(end); ++row) {
      scales[row] = quantise_row(source.data() + row * row_bytes(tensor), block, out_.data() + row * columns, nonfinite[row]);
    }
  });
  uint64_t bad = 0;
  for (const uint64_t count : nonfinite) bad += count;
  refuse_if(bad, block);
  report_.quantised += out_.size();
  return scales;
}

std::vector<float> RowConverter::copy_8_bits(const ConvertBlock& block, std::span<const std::byte> source) {
  out_.assign(source.begin(), source.end());
  report_.quantised += out_.size();
  std::vector<float> scales = read_values(checkpoint_, *block.conversion->source_scales, block.first_row, block.rows);
  check_finite(checkpoint_, *block.conversion->source_scales, scales);
  return scales;
}

void RowConverter::write(const ConvertBlock& block, std::span<const std::byte> source, const OutputShard& shard, OutputFile& file) {
  const Conversion& conversion = *block.conversion;
  std::vector<float> scales;
  if (conversion.source_scales != nullptr) {
    scales = copy_8_bits(block, source);
  } else if (is_stored_in_8_bits(conversion.weight.dtype)) {
    scales = to_8_bits(block, source);
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

}  // namespace eyrie
