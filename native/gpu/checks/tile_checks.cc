#include <string>

#include "gpu/checks/checks.h"
#include "gpu/checks/tile_kernels.h"
#include "gpu/checks/transfer.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

/// Copies to shared memory, fragments and tensor core against sums in double. The tolerance is for the order of sums alone: products
/// of bf16 are exact in float32.
void check_tile_products(const CheckContext& context, Reporter& reporter) {
  for (const int k : {16, 32, 128, 256}) {
    for (const bool transposed : {false, true}) {
      const auto value = [&](uint64_t i) { return to_bf16(normal_value(i, context.seed + static_cast<uint64_t>(k))); };
      const size_t depth = static_cast<size_t>(k);
      std::vector<bf16> a(16 * depth), b(8 * depth);
      for (size_t i = 0; i < a.size(); ++i) a[i] = value(i);
      for (size_t i = 0; i < b.size(); ++i) b[i] = value(1'000'000 + i);
      std::vector<float> want;
      for (size_t row = 0; row < 16; ++row) {
        for (size_t column = 0; column < 8; ++column) {
          double sum = 0;
          for (size_t i = 0; i < depth; ++i) {
            sum += double{to_float(a[row * depth + i])} * double{to_float(b[transposed ? i * 8 + column : column * depth + i])};
          }
          want.push_back(static_cast<float>(sum));
        }
      }
      const cuda::DeviceBuffer a_card = to_card(context, a), b_card = to_card(context, b);
      cuda::DeviceBuffer c = context.device.alloc(want.size() * sizeof(float));
      multiply_tile(context.stream, a_card.as<bf16>(), b_card.as<bf16>(), transposed, k, c.as<float>());
      reporter.near("k=" + std::to_string(k) + (transposed ? " transposed" : ""), from_card<float>(context, c), want,
                    {.absolute = 1e-6 * k, .relative = 1e-5});
    }
  }
}

}  // namespace eyrie::gpu
