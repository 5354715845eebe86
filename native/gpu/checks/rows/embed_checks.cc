#include <string>

#include "cuda/kernels/rows.h"
#include "engine/backend.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/rows/rows_input.h"

namespace eyrie::gpu {

/// Rows of the table by id and by what a slot drew last; zeros for padding and for a slot that has drawn nothing.
void check_embed(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  const std::vector<int32_t> tokens{3, kDrawn, 7, kDrawn, 9}, positions{0, 5, -1, 2, 1}, slots{0, 1, 0, 2, 0}, drawn{4, 6, -1};
  const int from[] = {3, 6, -1, -1, 9};
  const cuda::DeviceBuffer on_tokens = card.put(tokens), on_positions = card.put(positions), on_slots = card.put(slots),
                           on_drawn = card.put(drawn);
  for (const int hidden : hidden_sizes(context.size)) {
    const auto width = static_cast<size_t>(hidden);
    const std::vector<bf16> table = as_bf16(normal_values(int64_t{10} * hidden, context.seed * 16 + 10, 1.0f));
    const cuda::DeviceBuffer embedding = card.put(table), residual = card.device.alloc(5 * width * sizeof(float));
    embed(card.stream, {5, on_tokens.as<int32_t>(), on_positions.as<int32_t>(), on_slots.as<int32_t>()}, on_drawn.as<int32_t>(),
          embedding.as<bf16>(), hidden, residual.as<float>());
    std::vector<float> want(5 * width);
    for (size_t row = 0; row < 5; ++row) {
      for (size_t i = 0; i < width && from[row] >= 0; ++i) {
        want[row * width + i] = to_float(table[static_cast<size_t>(from[row]) * width + i]);
      }
    }
    reporter.equal<float>("width=" + std::to_string(hidden), card.get<float>(residual), want);
  }
}

/// What follows an INT8 product: sums times the scales of row and column, rounded once.
void check_scale_sums(const CheckContext& context, Reporter& reporter) {
  const OnCard card = on_card(context);
  constexpr size_t kRows = 3;
  for (const int n : hidden_sizes(context.size)) {
    const auto width = static_cast<size_t>(n);
    std::vector<int32_t> sums(kRows * width);
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = static_cast<int32_t>(mixed(i + context.seed * 31) % 20'000'000) - 10'000'000;
    const std::vector<float> x_scales = normal_values(kRows, context.seed * 16 + 11, 1.0f),
                             w_scales = normal_values(n, context.seed * 16 + 12, 1.0f);
    const cuda::DeviceBuffer in = card.put(sums), xs = card.put(x_scales), ws = card.put(w_scales),
                             y = card.device.alloc(sums.size() * sizeof(bf16));
    scale_sums(card.stream, in.as<int32_t>(), kRows, n, xs.as<float>(), ws.as<float>(), y.as<bf16>());
    std::vector<bf16> want;
    for (size_t i = 0; i < sums.size(); ++i)
      want.push_back(to_bf16(static_cast<float>(sums[i]) * x_scales[i / width] * w_scales[i % width]));
    reporter.equal<bf16>("n=" + std::to_string(n), card.get<bf16>(y), want);
  }
}

}  // namespace eyrie::gpu
