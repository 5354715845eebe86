// Filling a PackedLinear. Rows are converted a piece at a time into a small buffer and then moved to their columns as
// 32-bit words: a word is one float32, two bfloat16 or four int8. In the first two layouts the words of 16 neighbouring
// rows lie side by side; of the third, the halves of the words do.

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>

#include "cpu/linear/linear.h"
#include "cpu/packing/panel_layout.h"
#include "cpu/vector/vector_kernels.h"
#include "error.h"

namespace eyrie {

namespace {

constexpr int64_t kTileRows = 16;
constexpr int64_t kPieceWords = 128;  // of each of 16 rows: 8 KiB; a multiple of 16

// int8: words of four k, each a pair of k for either row of a double row.
void move_codes(const VectorKernels& kernels, const uint32_t (*piece)[kPieceWords], int64_t rows, int64_t first, int64_t words,
                int64_t column, uint8_t* panel) {
  const auto place = [&](int64_t word) { return panel + panel_index_int8(column, word * 4); };
  int64_t w = 0;
  // Eight words of k are the double rows of one tile; the same columns go on two tiles later.
  for (; rows == kTileRows && w + 16 <= words; w += 16)
    kernels.transpose_codes(piece[0] + w, kPieceWords, reinterpret_cast<uint32_t*>(place(first + w)), kTileRows, 2 * kCodeTileBytes / 4);
  for (; w < words; ++w) {
    uint16_t* to = reinterpret_cast<uint16_t*>(place(first + w));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = (column % 16 + r) / 4 * 8 + (column % 16 + r) % 4 - column % 16 / 4 * 8 - column % 16 % 4;
      to[at] = static_cast<uint16_t>(piece[r][w]);
      to[at + 4] = static_cast<uint16_t>(piece[r][w] >> 16);
    }
  }
}

// Words [first, first + words) of up to 16 rows, to the columns from `column` on of a panel.
void move_words(const VectorKernels& kernels, const uint32_t (*piece)[kPieceWords], int64_t rows, int64_t first, int64_t words,
                int64_t column, DType dtype, uint32_t* panel) {
  if (dtype == DType::int8) return move_codes(kernels, piece, rows, first, words, column, reinterpret_cast<uint8_t*>(panel));
  const bool tiled = dtype == DType::bfloat16;
  const int64_t to_stride = tiled ? 16 : kPanelColumns;
  for (int64_t w = 0; w < words; w += 16) {
    const int64_t word = first + w, count = std::min<int64_t>(16, words - w);
    uint32_t* to = panel + (tiled ? (word / 16 * 2 + column / 16) * 256 + column % 16 : word * kPanelColumns + column);
    if (rows == kTileRows && count == 16) {
      kernels.transpose_words(piece[0] + w, kPieceWords, to, to_stride, 8 * to_stride);
      continue;
    }
    for (int64_t i = 0; i < count; ++i)
      for (int64_t r = 0; r < rows; ++r) to[i * to_stride + r] = piece[r][w + i];
  }
}

// Calls fill(row, first value, values, words out) piece by piece for rows [begin, end), and moves the result to its
// place. Rows are numbered within the matrix.
template <class Fill>
void pack_in_pieces(const VectorKernels& kernels, int64_t begin, int64_t end, int64_t k, DType dtype, int64_t panel_bytes, char* panels,
                    Fill fill) {
  const int64_t values_per_word = 4 / static_cast<int64_t>(dtype_bytes(dtype)), piece_values = kPieceWords * values_per_word;
  alignas(64) uint32_t piece[kTileRows][kPieceWords];
  for (int64_t row = begin; row < end;) {
    const int64_t column = row % kPanelColumns, rows = std::min(end - row, kTileRows - column % kTileRows);
    uint32_t* panel = reinterpret_cast<uint32_t*>(panels + row / kPanelColumns * panel_bytes);
    for (int64_t at = 0; at < k; at += piece_values) {
      const int64_t values = std::min(piece_values, k - at), words = (values + values_per_word - 1) / values_per_word;
      for (int64_t r = 0; r < rows; ++r) {
        piece[r][words - 1] = 0;  // the last word may be filled in part
        fill(row + r, at, values, piece[r]);
      }
      move_words(kernels, piece, rows, at / values_per_word, words, column, dtype, panel);
    }
    row += rows;
  }
}

void to_codes(const int8_t* values, int64_t n, void* codes) {
  for (int64_t i = 0; i < n; ++i) static_cast<uint8_t*>(codes)[i] = code_of(values[i]);
}

}  // namespace

PackReport PackedLinear::pack_rows(const Compute& compute, int64_t first_row, int64_t count, const void* rows, DType source) {
  check_rows(first_row, count);
  if (source == DType::int8)
    throw Error(ErrorCode::invalid_request, "pack_rows takes float32, bfloat16 or float16; int8 rows go to pack_quantised_rows");
  const VectorKernels& kernels = *compute.vector;
  const int64_t value_bytes = static_cast<int64_t>(dtype_bytes(source));
  const auto values_at = [&](int64_t row, int64_t i) {
    return static_cast<const char*>(rows) + ((row - first_row) * k_ + i) * value_bytes;
  };
  std::atomic<uint64_t> rounded{0}, nonfinite{0};
  compute.pool->parallel_for(count, kPanel, [&](int64_t begin, int64_t end, int) {
    PackReport report;
    for (int64_t row = first_row + begin; dtype_ != DType::bfloat16 && row < first_row + end; ++row) {
      uint64_t bad = 0;
      const float largest = kernels.max_abs(values_at(row, 0), source, k_, &bad);
      report.nonfinite += bad;
      if (dtype_ == DType::int8) scales_[row] = largest / 127.0f;
    }
    pack_in_pieces(kernels, first_row + begin, first_row + end, k_, dtype_, panel_bytes_, buffer_.as<char>(),
                   [&](int64_t row, int64_t at, int64_t n, uint32_t* out) {
                     if (dtype_ == DType::float32) {
                       kernels.to_float32(values_at(row, at), source, n, reinterpret_cast<float*>(out));
                     } else if (dtype_ == DType::bfloat16) {
                       const RowReport part = kernels.to_bfloat16(values_at(row, at), source, n, reinterpret_cast<bf16*>(out));
                       report.rounded += part.rounded;
                       report.nonfinite += part.nonfinite;
                     } else {
                       int8_t* bytes = reinterpret_cast<int8_t*>(out);
                       kernels.to_int8(values_at(row, at), source, n, scales_[row], bytes);
                       to_codes(bytes, n, bytes);
                     }
                   });
    rounded += report.rounded;
    nonfinite += report.nonfinite;
  });
  return {rounded, nonfinite};
}

void PackedLinear::pack_quantised_rows(const Compute& compute, int64_t first_row, int64_t count, const int8_t* rows, const float* scales) {
  check_rows(first_row, count);
  if (dtype_ != DType::int8)
    throw Error(ErrorCode::invalid_request, std::string("quantised rows do not fit weights of type ") + dtype_name(dtype_));
  std::atomic<int64_t> bad_row{-1};
  compute.pool->parallel_for(count, kPanel, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; ++r) {
      const int8_t* row = rows + r * k_;
      if (!std::isfinite(scales[r]) || scales[r] < 0 || std::memchr(row, 0x80, static_cast<size_t>(k_)) != nullptr) bad_row = first_row + r;
      scales_[first_row + r] = scales[r];
    }
    pack_in_pieces(*compute.vector, first_row + begin, first_row + end, k_, dtype_, panel_bytes_, buffer_.as<char>(),
                   [&](int64_t row, int64_t at, int64_t n, uint32_t* out) { to_codes(rows + (row - first_row) * k_ + at, n, out); });
  });
  if (bad_row >= 0)
    throw Error(ErrorCode::model_invalid, "int8 row " + std::to_string(bad_row.load()) +
                                              " holds a -128 or a scale that is negative or not finite; convert the model again");
}

}  // namespace eyrie
