#include <cmath>

#include "cuda/kernels/numbers.h"
#include "gpu/checks/checks.h"
#include "gpu/checks/number_kernels.h"
#include "gpu/checks/transfer.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

/// The conversions give the bits of the host: every bf16 and e4m3 widened, and floats of every exponent, ties and neighbours rounded.
void check_numbers(const CheckContext& context, Reporter& reporter) {
  cuda::DeviceBuffer floats = context.device.alloc((65536 + 256) * sizeof(float));
  widen_all(context.stream, floats.as<float>());
  std::vector<float> want;
  for (uint32_t i = 0; i < 65536; ++i) want.push_back(to_float(bf16{static_cast<uint16_t>(i)}));
  for (uint32_t i = 0; i < 256; ++i) want.push_back(to_float(e4m3{static_cast<uint8_t>(i)}));
  reporter.equal<float>("widened", from_card<float>(context, floats), want);

  std::vector<float> values{0.0f, -0.0f, INFINITY, -INFINITY, NAN, -NAN, 448.0f, 449.0f, 464.0f, 480.0f};
  // Around what rounding decides: each bf16 and each e4m3, half a step on, and one bit to either side.
  const uint32_t steps = context.size == CheckSize::small ? 97 : 1;
  for (uint32_t i = 0; i < 65536; i += steps) {
    for (const uint32_t low : {0x0u, 0x1u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) values.push_back(cuda::float_of(i << 16 | low));
  }
  for (uint32_t code = 0; code < 0x7e; ++code) {
    const float here = to_float(e4m3{static_cast<uint8_t>(code)}), next = to_float(e4m3{static_cast<uint8_t>(code + 1)});
    const float middle = (here + next) / 2;
    for (const float value : {here, middle, std::nextafter(middle, 0.0f), std::nextafter(middle, 1e9f)}) {
      values.push_back(value);
      values.push_back(-value);
    }
  }
  for (uint64_t i = 0; i < (context.size == CheckSize::small ? 1000 : 100'000); ++i)
    values.push_back(cuda::float_of(mixed(i + context.seed * 77)));

  const cuda::DeviceBuffer in = to_card(context, values);
  cuda::DeviceBuffer narrow = context.device.alloc(values.size() * 4), narrower = context.device.alloc(values.size() * 2);
  round_values(context.stream, in.as<float>(), static_cast<int64_t>(values.size()), narrow.as<uint16_t>(), narrower.as<uint8_t>());
  std::vector<uint16_t> want16;
  std::vector<uint8_t> want8;
  for (const float value : values) {
    want16.push_back(to_bf16(value).bits);
    want8.push_back(to_e4m3(value).bits);
  }
  // The same again by the instructions, which give one NaN.
  for (const float value : values) {
    want16.push_back(value == value ? to_bf16(value).bits : uint16_t{0x7fff});
    want8.push_back(to_e4m3(value).bits);
  }
  reporter.equal<uint16_t>("bf16", from_card<uint16_t>(context, narrow), want16);
  reporter.equal<uint8_t>("e4m3", from_card<uint8_t>(context, narrower), want8);
}

}  // namespace eyrie::gpu
