#include <string>

#include "cpu/vector/layer_norm.h"
#include "cuda/kernels/rows.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/rows/row_twins.h"
#include "gpu/checks/rows/rows_input.h"

namespace eyrie::gpu {

namespace {

using cuda::RowFormat;

/// At most two steps of bf16; the absolute part is for values near zero, which are differences of larger ones.
constexpr Tolerance kNearBf16{.absolute = 1e-5, .relative = 0x1p-7};

struct Normed {
  std::vector<float> residual, first, second;
  std::vector<uint8_t> bytes;  // of both norms
};

/// With one norm where `two` is not set. `rows` names the rows that are taken, all if empty.
Normed run(const OnCard& card, const NormInput& input, RowFormat format, bool two, const std::vector<int32_t>& rows = {}) {
  const cuda::DeviceBuffer residual = card.put(input.residual), attention = card.put(input.attention), mlp = card.put(input.mlp),
                           row_of = card.put(rows);
  std::vector<cuda::DeviceBuffer> vectors;
  for (const std::vector<float>& vector : input.vectors) vectors.push_back(card.put(vector));
  const int count = rows.empty() ? input.rows : static_cast<int>(rows.size());
  const RowsOnCard first(card, format, count, input.width), second(card, RowFormat::bf16, two ? count : 0, input.width);
  cuda::AddNorm call;
  call.rows = count;
  call.hidden = input.width;
  call.residual = residual.as<float>();
  call.attention = attention.as<bf16>();
  call.mlp = mlp.as<bf16>();
  call.row_of = rows.empty() ? nullptr : row_of.as<int32_t>();
  call.first = {vectors[0].as<float>(), vectors[1].as<float>()};
  call.first_out = first.out();
  if (two) {
    call.second = {vectors[2].as<float>(), vectors[3].as<float>()};
    call.second_out = second.out();
  }
  add_norm(card.stream, call);
  Normed normed{card.get<float>(residual), first.read(card), second.read(card), first.bytes(card)};
  const std::vector<uint8_t> more = second.bytes(card);
  normed.bytes.insert(normed.bytes.end(), more.begin(), more.end());
  return normed;
}

/// In 8 bits: the scale up to its last bits, and codes that are the same or, at a tie, neighbours, which few are.
void compare_codes(Reporter& reporter, const std::string& name, const std::vector<float>& got, const std::vector<float>& normed,
                   RowFormat format, int width) {
  const std::vector<float> want = rounded(normed, width, format);
  float largest = 0;
  for (const float v : normed) largest = std::max(largest, std::fabs(v));
  reporter.near(name, got, want, {.absolute = largest / 100, .relative = format == RowFormat::e4m3 ? 0.125 : 0.0});
  size_t different = 0;
  for (size_t i = 0; i < want.size(); ++i) different += std::fabs(got[i] - want[i]) > 1e-5f * largest ? 1 : 0;
  reporter.expect(name + " codes", different <= 1 + want.size() / 200,
                  std::to_string(different) + " of " + std::to_string(want.size()) + " values have another code");
}

}  // namespace

/// The sum of residual and partial results bit by bit, one and two norms of it as the CPU's, and a row that is the same alone.
void check_add_norm(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  HostCompute host;
  for (const int width : hidden_sizes(context.size)) {
    const NormInput input(3, width, [&](int64_t count, int number, float size) {
      return normal_values(count, context.seed * 16 + static_cast<uint64_t>(number), size);
    });
    const std::vector<float> sum = input.sum();
    std::vector<float> first(sum.size()), second(sum.size());
    const LayerNormOutput outputs[] = {{input.vectors[0].data(), input.vectors[1].data(), first.data()},
                                       {input.vectors[2].data(), input.vectors[3].data(), second.data()}};
    layer_norm(host.compute, sum.data(), 3, width, 1e-5f, outputs, 2, DType::float32);
    for (const RowFormat format : kRowFormats) {
      const std::string name = "width=" + std::to_string(width) + format_text(format);
      const Normed both = run(card, input, format, true), one = run(card, input, format, false);
      reporter.equal<float>(name + " residual", both.residual, sum);
      reporter.near(name + " second", both.second, second, kNearBf16);
      if (format == RowFormat::bf16) {
        reporter.near(name + " first", both.first, first, kNearBf16);
      } else {
        compare_codes(reporter, name + " first", both.first, first, format, width);
      }
      reporter.equal<float>(name + " one norm", one.first, both.first);
      const Normed alone = run(card, input, format, true, {1});
      const auto row = std::ptrdiff_t{width};
      reporter.equal<float>(name + " a row alone", alone.first, std::vector<float>(both.first.begin() + row, both.first.begin() + 2 * row));
    }
  }
}

}  // namespace eyrie::gpu
