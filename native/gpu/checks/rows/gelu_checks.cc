#include <string>

#include "cpu/vector/gelu.h"
#include "cuda/kernels/rows.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/rows/row_twins.h"
#include "gpu/checks/rows/rows_input.h"

namespace eyrie::gpu {

namespace {

constexpr int kRows = 3;

}  // namespace

/// GELU of the CPU bit for bit, in bf16 and quantised.
void check_gelu(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  HostCompute host;
  for (const int width : ffn_sizes(context.size)) {
    std::vector<float> values = normal_values(int64_t{kRows} * width, context.seed * 16 + 8, 3.0f);
    values[0] = -9.5f;  // far in the tail
    const std::vector<bf16> x = as_bf16(values);
    std::vector<float> want = as_floats(x);
    gelu(host.compute, want.data(), static_cast<int64_t>(want.size()), want.data());
    for (float& v : want) v = to_float(to_bf16(v));
    const cuda::DeviceBuffer on = card.put(x);
    for (const cuda::RowFormat format : kRowFormats) {
      const RowsOnCard out(card, format, kRows, width);
      gelu_rows(card.stream, on.as<bf16>(), kRows, width, out.out());
      reporter.equal<float>("width=" + std::to_string(width) + format_text(format), out.read(card), rounded(want, width, format));
    }
  }
}

/// Rows in 8 bits by the rule of numbers/row_scale.h bit for bit: ordinary ones, zeros, tiny and hot ones.
void check_quantise(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  for (const int width : ffn_sizes(context.size)) {
    std::vector<float> values = normal_values(int64_t{5} * width, context.seed * 16 + 9, 1.0f);
    const auto row = static_cast<size_t>(width);
    for (size_t i = 0; i < row; ++i) {
      values[row + i] = 0.0f;
      values[2 * row + i] *= 0x1p-120f;
      values[4 * row + i] *= 1e30f;
    }
    values[3 * row + row / 2] = 30000.0f;
    const std::vector<bf16> x = as_bf16(values);
    const cuda::DeviceBuffer on = card.put(x);
    for (const cuda::RowFormat format : kRowFormats) {
      const RowsOnCard out(card, format, 5, width);
      quantise_rows(card.stream, on.as<bf16>(), 5, width, out.out());
      reporter.equal<float>("width=" + std::to_string(width) + format_text(format), out.read(card), rounded(as_floats(x), width, format));
    }
  }
}

}  // namespace eyrie::gpu
