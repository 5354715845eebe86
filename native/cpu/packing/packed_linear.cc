#include <string>

#include "cpu/linear/linear.h"
#include "cpu/linear/x_codes.h"
#include "cpu/packing/panel_layout.h"
#include "error.h"
#include "numbers/bfloat16.h"

namespace eyrie {

namespace {

int64_t round_up(int64_t v, int64_t to) { return (v + to - 1) / to * to; }

int64_t bytes_of_panel(int64_t k, DType dtype) {
  switch (dtype) {
    case DType::float32: return k * kPanelColumns * 4;
    case DType::int8: return round_up(k, kCodeGroup) * kPanelColumns;
    default: return round_up(k, kPanelStep) * kPanelColumns * 2;
  }
}

// Scales follow the panels in the same buffer.
int64_t bytes_of_columns(int64_t panels, DType dtype) { return dtype == DType::int8 ? panels * kPanelColumns * 4 : 0; }

}  // namespace

PackedLinear::PackedLinear(int64_t n, int64_t k, DType dtype) : n_(n), k_(k), dtype_(dtype) {
  if (n < 1 || k < 1)
    throw Error(ErrorCode::invalid_request,
                "a weight matrix of " + std::to_string(n) + " x " + std::to_string(k) + "; both sides must be >= 1");
  if (dtype == DType::float16 || dtype == DType::fp8)
    throw Error(ErrorCode::invalid_request,
                std::string("weights cannot be held in ") + dtype_name(dtype) + "; choose float32, bfloat16 or int8");
  panel_bytes_ = bytes_of_panel(k, dtype);
  buffer_ = HugeBuffer(packed_bytes(n, k, dtype));
  if (dtype == DType::int8) scales_ = reinterpret_cast<float*>(buffer_.as<char>() + panel_count() * panel_bytes_);
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

void PackedLinear::read_row(int64_t row, float* out) const {
  check_rows(row, 1);
  const char* panel = buffer_.as<char>() + row / kPanel * panel_bytes_;
  const int64_t column = row % kPanel;
  for (int64_t i = 0; i < k_; ++i) {
    if (dtype_ == DType::float32) {
      out[i] = reinterpret_cast<const float*>(panel)[panel_index_float32(column, i)];
    } else if (dtype_ == DType::bfloat16) {
      out[i] = to_float(reinterpret_cast<const bf16*>(panel)[panel_index_bfloat16(column, i)]);
    } else {
      out[i] = scales_[row] * static_cast<float>(value_of(reinterpret_cast<const uint8_t*>(panel)[panel_index_int8(column, i)]));
    }
  }
}

}  // namespace eyrie
