#pragma once
// Rows that a kernel writes for a product, as they should be by the rules of the host. Shared by the checks and by the tests of the
// emulation.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/kernels/pass.h"
#include "gpu/on_card.h"
#include "numbers/bfloat16.h"
#include "numbers/row_scale.h"

namespace eyrie::gpu {

inline size_t value_bytes(cuda::RowFormat format) { return format == cuda::RowFormat::bf16 ? 2 : 1; }

inline float largest_code_of(cuda::RowFormat format) { return format == cuda::RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8; }

/// The values of rows as floats, code * scale. `scales` is not looked at for bf16.
inline std::vector<float> widened(const std::vector<uint8_t>& bytes, const std::vector<float>& scales, int64_t width,
                                  cuda::RowFormat format) {
  std::vector<float> values(bytes.size() / value_bytes(format));
  for (size_t i = 0; i < values.size(); ++i) {
    if (format == cuda::RowFormat::bf16) {
      bf16 v;
      std::memcpy(&v, bytes.data() + 2 * i, 2);
      values[i] = to_float(v);
    } else if (format == cuda::RowFormat::e4m3) {
      values[i] = to_float(e4m3{bytes[i]}) * scales[i / static_cast<size_t>(width)];
    } else {
      values[i] = static_cast<float>(static_cast<int8_t>(bytes[i])) * scales[i / static_cast<size_t>(width)];
    }
  }
  return values;
}

/// Rows that a kernel writes, and the bytes that it wrote.
struct RowsOnCard {
  RowsOnCard(const OnCard& card, cuda::RowFormat format, int64_t rows, int64_t width)
      : format(format),
        width(width),
        values(card.device.alloc(static_cast<size_t>(rows * width) * value_bytes(format))),
        scales(card.device.alloc(format == cuda::RowFormat::bf16 ? 0 : static_cast<size_t>(rows) * sizeof(float))) {}

  cuda::RowsOut out() const { return {format, values.data(), scales.as<float>()}; }

  std::vector<float> read(const OnCard& card) const { return widened(card.get<uint8_t>(values), card.get<float>(scales), width, format); }

  /// All bytes, scales at the end.
  std::vector<uint8_t> bytes(const OnCard& card) const {
    std::vector<uint8_t> all = card.get<uint8_t>(values);
    const std::vector<uint8_t> more = card.get<uint8_t>(scales);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  cuda::RowFormat format;
  int64_t width;
  cuda::DeviceBuffer values, scales;
};

/// `v` in the given form and back, as the host rounds it: what a kernel should have written of the very same floats.
inline std::vector<float> rounded(const std::vector<float>& v, int64_t width, cuda::RowFormat format) {
  std::vector<float> result(v.size());
  for (size_t row = 0; row < v.size() / static_cast<size_t>(width); ++row) {
    const size_t begin = row * static_cast<size_t>(width), end = begin + static_cast<size_t>(width);
    float largest = 0;
    for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(v[i]));
    const float scale = row_scale(largest, largest_code_of(format)), inverse = reciprocal(scale);
    for (size_t i = begin; i < end; ++i) {
      result[i] = format == cuda::RowFormat::bf16   ? to_float(to_bf16(v[i]))
                  : format == cuda::RowFormat::e4m3 ? to_float(to_e4m3(v[i] * inverse)) * scale
                                                    : static_cast<float>(to_int8(v[i], inverse)) * scale;
    }
  }
  return result;
}

/// Input of add_norm().
struct NormInput {
  /// `random(count, number, size)` gives values around 0.
  template <class Random>
  NormInput(int rows, int width, const Random& random) : rows(rows), width(width), residual(random(int64_t{rows} * width, 0, 3.0f)) {
    for (const float v : random(int64_t{rows} * width, 1, 1.0f)) attention.push_back(to_bf16(v));
    for (const float v : random(int64_t{rows} * width, 2, 1.0f)) mlp.push_back(to_bf16(v));
    for (int i = 0; i < 4; ++i) vectors.push_back(random(width, 3 + i, i % 2 == 0 ? 0.3f : 0.5f));
    for (float& gain : vectors[0]) gain += 1.0f;
    for (float& gain : vectors[2]) gain += 1.0f;
  }

  /// residual + (attention + mlp)
  std::vector<float> sum() const {
    std::vector<float> sum = residual;
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += to_float(attention[i]) + to_float(mlp[i]);
    return sum;
  }

  int rows, width;
  std::vector<float> residual;
  std::vector<bf16> attention, mlp;
  std::vector<std::vector<float>> vectors;  // gain, bias, gain, bias
};

}  // namespace eyrie::gpu
