#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "error.h"
#include "ops/bfloat16.h"
#include "ops/float16.h"
#include "ops/linear.h"
#include "ops/panel_layout.h"

namespace eyrie {

namespace {

constexpr int64_t kInt8KMax = 65536;  // 255 * 127 * 65,536 < 2^31

int64_t round_up(int64_t v, int64_t to) { return (v + to - 1) / to * to; }

int64_t bytes_of_panel(int64_t k, DType dtype) {
  switch (dtype) {
    case DType::float32: return k * kPanelColumns * 4;
    case DType::int8: return round_up(k, kStepInt8) * kPanelColumns;
    default: return round_up(k, kStepBfloat16) * kPanelColumns * 2;
  }
}

// Scales and sums follow the panels in the same buffer.
int64_t bytes_of_columns(int64_t panels, DType dtype) { return dtype == DType::int8 ? panels * kPanelColumns * 8 : 0; }

float source_value(const void* rows, int64_t i, DType source) {
  if (source == DType::float32) return static_cast<const float*>(rows)[i];
  if (source == DType::float16) return to_float(static_cast<const fp16*>(rows)[i]);
  return to_float(static_cast<const bf16*>(rows)[i]);
}

}  // namespace

PackedLinear::PackedLinear(int64_t n, int64_t k, DType dtype) : n_(n), k_(k), dtype_(dtype) {
  if (n < 1 || k < 1)
    throw Error(ErrorCode::invalid_request, "a weight matrix of " + std::to_string(n) + " x " + std::to_string(k) + "; both sides must be >= 1");
  if (dtype == DType::float16)
    throw Error(ErrorCode::invalid_request, "weights cannot be held in float16; choose float32, bfloat16 or int8");
  if (dtype == DType::int8 && k > kInt8KMax)
    throw Error(ErrorCode::invalid_request, "int8 weights with k = " + std::to_string(k) + "; at most " + std::to_string(kInt8KMax));
  panel_bytes_ = bytes_of_panel(k, dtype);
  buffer_ = HugeBuffer(packed_bytes(n, k, dtype));
  if (dtype == DType::int8) {
    scales_ = reinterpret_cast<float*>(buffer_.as<char>() + panel_count() * panel_bytes_);
    row_sums_ = reinterpret_cast<int32_t*>(scales_ + panel_count() * kPanel);
  }
}

size_t PackedLinear::packed_bytes(int64_t n, int64_t k, DType dtype) {
  const int64_t panels = (n + kPanel - 1) / kPanel;
  return static_cast<size_t>(panels * bytes_of_panel(k, dtype) + bytes_of_columns(panels, dtype));
}

void PackedLinear::check_rows(int64_t first_row, int64_t count) const {
  if (first_row < 0 || count < 0 || first_row + count > n_)
    throw Error(ErrorCode::invalid_request, "rows " + std::to_string(first_row) + " to " + std::to_string(first_row + count) +
                                                " do not lie in a matrix of " + std::to_string(n_) + " rows");
}

PackReport PackedLinear::pack_rows(const Compute& compute, int64_t first_row, int64_t count, const void* rows, DType source) {
  check_rows(first_row, count);
  if (source == DType::int8)
    throw Error(ErrorCode::invalid_request, "pack_rows takes float32, bfloat16 or float16; int8 rows go to pack_quantised_rows");
  std::atomic<uint64_t> rounded{0}, nonfinite{0};
  compute.pool->parallel_for(count, kPanel, [&](int64_t begin, int64_t end, int) {
    PackReport report;
    for (int64_t r = begin; r < end; r++) {
      const int64_t row = first_row + r, column = row % kPanel;
      char* panel = buffer_.as<char>() + row / kPanel * panel_bytes_;
      float largest = 0;
      for (int64_t i = 0; i < k_; i++) {
        const float v = source_value(rows, r * k_ + i, source);
        report.nonfinite += !std::isfinite(v);
        largest = std::max(largest, std::fabs(v));
        if (dtype_ == DType::float32) {
          reinterpret_cast<float*>(panel)[panel_index_float32(column, i)] = v;
        } else if (dtype_ == DType::bfloat16) {
          const bf16 b = to_bf16(v);
          report.rounded += to_float(b) != v && std::isfinite(v);
          reinterpret_cast<bf16*>(panel)[panel_index_bfloat16(column, i)] = b;
        }
      }
      if (dtype_ != DType::int8) continue;
      const float scale = largest / 127.0f;
      int32_t sum = 0;
      for (int64_t i = 0; i < k_; i++) {
        const float v = source_value(rows, r * k_ + i, source);
        const float q = scale > 0 && std::isfinite(v) ? std::nearbyintf(v / scale) : 0.0f;
        const int8_t w = static_cast<int8_t>(std::clamp(q, -127.0f, 127.0f));
        reinterpret_cast<int8_t*>(panel)[panel_index_int8(column, i)] = w;
        sum += w;
      }
      scales_[row] = scale;
      row_sums_[row] = sum;
    }
    rounded += report.rounded;
    nonfinite += report.nonfinite;
  });
  return {rounded, nonfinite};
}

void PackedLinear::pack_quantised_rows(const Compute& compute, int64_t first_row, int64_t count, const int8_t* rows,
                                       const float* scales) {
  check_rows(first_row, count);
  if (dtype_ != DType::int8)
    throw Error(ErrorCode::invalid_request, std::string("quantised rows do not fit weights of type ") + dtype_name(dtype_));
  std::atomic<int64_t> bad_row{-1};
  compute.pool->parallel_for(count, kPanel, [&](int64_t begin, int64_t end, int) {
    for (int64_t r = begin; r < end; r++) {
      const int64_t row = first_row + r;
      int8_t* panel = buffer_.as<int8_t>() + row / kPanel * panel_bytes_;
      int32_t sum = 0;
      bool bad = !std::isfinite(scales[r]) || scales[r] < 0;
      for (int64_t i = 0; i < k_; i++) {
        const int8_t w = rows[r * k_ + i];
        bad |= w == -128;
        sum += w;
        panel[panel_index_int8(row % kPanel, i)] = w;
      }
      scales_[row] = scales[r];
      row_sums_[row] = sum;
      if (bad) bad_row = row;
    }
  });
  if (bad_row >= 0)
    throw Error(ErrorCode::model_invalid, "int8 row " + std::to_string(bad_row.load()) +
                                              " holds a -128 or a scale that is negative or not finite; convert the model again");
}

void PackedLinear::read_row(int64_t row, float* out) const {
  check_rows(row, 1);
  const char* panel = buffer_.as<char>() + row / kPanel * panel_bytes_;
  const int64_t column = row % kPanel;
  for (int64_t i = 0; i < k_; i++) {
    if (dtype_ == DType::float32) {
      out[i] = reinterpret_cast<const float*>(panel)[panel_index_float32(column, i)];
    } else if (dtype_ == DType::bfloat16) {
      out[i] = to_float(reinterpret_cast<const bf16*>(panel)[panel_index_bfloat16(column, i)]);
    } else {
      out[i] = scales_[row] * static_cast<float>(reinterpret_cast<const int8_t*>(panel)[panel_index_int8(column, i)]);
    }
  }
}

}  // namespace eyrie
