#include <cmath>
#include <cstring>
#include <string>

#include "cuda/gemm.h"
#include "cuda/kernels/numbers.h"
#include "cuda/pass/model_shape.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/transfer.h"
#include "gpu/lab/lab_kernels.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

using cuda::RowFormat;
using cuda::SumFormat;

/// What is allowed beside the rounding of the result, in parts of sum |x w|. e4m3: tensor cores of Hopper add within a tile in some 14
/// bits before the sum goes to float32.
struct Product {
  const char* name;
  RowFormat operands;
  SumFormat result;
  double tolerance;
};
constexpr Product kProducts[] = {{"bf16", RowFormat::bf16, SumFormat::bf16, 1e-5},
                                 {"bf16 to float32", RowFormat::bf16, SumFormat::float32, 1e-5},
                                 {"e4m3", RowFormat::e4m3, SumFormat::bf16, 0x1p-12},
                                 {"int8", RowFormat::int8, SumFormat::int32, 0}};

size_t operand_bytes(RowFormat format) { return format == RowFormat::bf16 ? 2 : 1; }
size_t result_bytes(SumFormat format) { return format == SumFormat::bf16 ? 2 : 4; }

/// Rows of x or W as they are on the card, read on the host.
std::vector<double> operand_row(const std::vector<uint8_t>& bytes, int64_t row, int64_t k, RowFormat format) {
  std::vector<double> values;
  for (int64_t i = row * k; i < (row + 1) * k; ++i) {
    const auto at = static_cast<size_t>(i);
    if (format == RowFormat::bf16) {
      values.push_back(to_float(bf16{static_cast<uint16_t>(bytes[2 * at] | bytes[2 * at + 1] << 8)}));
    } else if (format == RowFormat::e4m3) {
      values.push_back(to_float(e4m3{bytes[at]}));
    } else {
      values.push_back(static_cast<int8_t>(bytes[at]));
    }
  }
  return values;
}

double result_at(const std::vector<uint8_t>& y, int64_t at, SumFormat format) {
  const uint8_t* from = y.data() + static_cast<size_t>(at) * result_bytes(format);
  uint32_t bits = 0;
  std::memcpy(&bits, from, result_bytes(format));
  if (format == SumFormat::bf16) return to_float(bf16{static_cast<uint16_t>(bits)});
  return format == SumFormat::int32 ? static_cast<double>(static_cast<int32_t>(bits)) : double{cuda::float_of(bits)};
}

/// Operands of one product on the card.
struct Operands {
  Operands(const CheckContext& context, const Product& product, int64_t rows, int64_t n, int64_t k)
      : x(context.device.alloc(static_cast<size_t>(rows * k) * operand_bytes(product.operands))),
        w(context.device.alloc(static_cast<size_t>(n * k) * operand_bytes(product.operands))) {
    const ValueType type = product.operands == RowFormat::bf16   ? ValueType::bf16
                           : product.operands == RowFormat::e4m3 ? ValueType::e4m3
                                                                 : ValueType::int8;
    fill_values(context.stream, x.data(), rows * k, type, context.seed);
    fill_values(context.stream, w.data(), n * k, type, context.seed + 1);
    for (int64_t i = 0; i < rows; ++i) x_scales.push_back(0.01f * (1 + uniform_value(static_cast<uint64_t>(i), context.seed + 2)));
    for (int64_t i = 0; i < n; ++i) w_scales.push_back(0.01f * (1 + uniform_value(static_cast<uint64_t>(i), context.seed + 3)));
    // A hot row and a hot channel: a mix-up of the two vectors, or of their order, shows at once.
    x_scales[static_cast<size_t>(std::min<int64_t>(5, rows - 1))] = 10.0f;
    w_scales[static_cast<size_t>(n - 3)] = 5.0f;
    x_scales_card = to_card(context, x_scales);
    w_scales_card = to_card(context, w_scales);
  }
  cuda::DeviceBuffer x, w, x_scales_card, w_scales_card;
  std::vector<float> x_scales, w_scales;
};

void check_product(const CheckContext& context, Reporter& reporter, const Product& product, int64_t n, int64_t k,
                   const std::vector<int64_t>& counts) {
  const int64_t rows = counts.back();
  const auto gemm =
      cuda::open_gemm(context.device, context.stream, {{n, k, product.operands, product.result, true, product.name, 0}}, rows);
  const int64_t padded = gemm->padded_rows(rows);
  const Operands operands(context, product, padded, n, k);
  const cuda::DeviceBuffer y = context.device.alloc(static_cast<size_t>(padded * n) * result_bytes(product.result));
  const auto run = [&](int64_t m) {
    cuda::GemmCall call{0, m, operands.x.data(), nullptr, operands.w.data(), nullptr, y.data()};
    if (product.operands == RowFormat::e4m3) {
      call.x_scales = operands.x_scales_card.as<float>();
      call.w_scales = operands.w_scales_card.as<float>();
    }
    context.stream.fill(y.data(), 0xff, y.size());
    gemm->run(context.stream, call);
    return on_card(context).get<uint8_t>(y.data(), static_cast<size_t>(m * n) * result_bytes(product.result));
  };
  const std::string name = std::string(product.name) + " n=" + std::to_string(n) + " k=" + std::to_string(k);
  const std::vector<uint8_t> whole = run(rows);
  for (const int64_t m : counts) {
    const std::vector<uint8_t> some = run(m);
    reporter.equal<uint8_t>(name + " m=" + std::to_string(m) + " as of " + std::to_string(rows), some,
                            std::vector<uint8_t>(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(some.size())));
  }
  // A few rows by every 7th column and the last ones.
  const std::vector<uint8_t> x = from_card<uint8_t>(context, operands.x), w = from_card<uint8_t>(context, operands.w);
  double worst = 0;
  std::string where;
  for (const int64_t row : {int64_t{0}, std::min<int64_t>(5, rows - 1), rows - 1}) {
    const std::vector<double> left = operand_row(x, row, k, product.operands);
    for (int64_t column = 0; column < n; column += column < n - 8 ? 7 : 1) {
      const std::vector<double> right = operand_row(w, column, k, product.operands);
      double sum = 0, size = 0;
      for (size_t i = 0; i < left.size(); ++i) {
        sum += left[i] * right[i];
        size += std::abs(left[i] * right[i]);
      }
      const double scale = product.operands == RowFormat::e4m3 ? double{operands.x_scales[static_cast<size_t>(row)]} *
                                                                     double{operands.w_scales[static_cast<size_t>(column)]}
                                                               : 1.0;
      const double rounding = product.result == SumFormat::bf16      ? 0x1p-8 * std::abs(sum)
                              : product.result == SumFormat::float32 ? 0x1p-23 * std::abs(sum)
                                                                     : 0.5;
      const double far =
          std::abs(result_at(whole, row * n + column, product.result) - sum * scale) / (scale * (product.tolerance * size + rounding));
      if (!(far <= worst)) {
        worst = far;
        where = " row=" + std::to_string(row) + " column=" + std::to_string(column);
      }
    }
  }
  reporter.near(name + where, std::vector<float>{static_cast<float>(worst)}, std::vector<float>{0.0f}, {.absolute = 1});
}

}  // namespace

/// Products in every form against sums in double, and rows whose bytes do not depend on how many there are.
void check_gemm(const CheckContext& context, Reporter& reporter) {
  for (const Product& product : kProducts) {
    if (product.operands == RowFormat::e4m3 && !cuda::has_fp8(context.device.info())) continue;
    reporter.guarded(product.name, [&] {
      if (context.size == CheckSize::small) {
        check_product(context, reporter, product, 64, 96, {1, 17, 33});
      } else if (context.size == CheckSize::brief) {
        check_product(context, reporter, product, 512, 1024, {1, 16, 40, 130});
      } else {
        check_product(context, reporter, product, 1024, 8192, {1, 7, 16, 33, 64, 130, 256, 500, 1100});
      }
    });
  }
}

}  // namespace eyrie::gpu
