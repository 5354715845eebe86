#pragma once
// What the tests of row kernels share: random rows, a card, and rows in 8 bits as the host makes them.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "cuda/kernels/pass.h"
#include "numbers/bfloat16.h"
#include "numbers/row_scale.h"
#include "test/cpu/oracle.h"
#include "test/emulation/card.h"

namespace eyrie::cuda::test {

using eyrie::test::as_bf16;
using eyrie::test::random_values;

inline size_t value_bytes(RowFormat format) { return format == RowFormat::bf16 ? 2 : 1; }

inline float largest_code_of(RowFormat format) { return format == RowFormat::e4m3 ? kLargestE4m3 : kLargestInt8; }

/// Rows that a kernel writes, and the bytes that it wrote.
struct Output {
  Output(const Card& card, RowFormat format, int64_t rows, int64_t width)
      : format(format),
        width(width),
        values(card.device.alloc(static_cast<size_t>(rows * width) * value_bytes(format))),
        scales(card.device.alloc(format == RowFormat::bf16 ? 0 : static_cast<size_t>(rows) * sizeof(float))) {}

  RowsOut out() const { return {format, values.data(), scales.as<float>()}; }

  /// The values of all rows as floats, code * scale.
  std::vector<float> read(Card& card) {
    const std::vector<uint8_t> bytes = card.get<uint8_t>(values);
    const std::vector<float> scale = card.get<float>(scales);
    std::vector<float> result(bytes.size() / value_bytes(format));
    for (size_t i = 0; i < result.size(); ++i) {
      if (format == RowFormat::bf16) {
        bf16 v;
        std::memcpy(&v, bytes.data() + 2 * i, 2);
        result[i] = to_float(v);
      } else if (format == RowFormat::e4m3) {
        result[i] = to_float(e4m3{bytes[i]}) * scale[i / static_cast<size_t>(width)];
      } else {
        result[i] = static_cast<float>(static_cast<int8_t>(bytes[i])) * scale[i / static_cast<size_t>(width)];
      }
    }
    return result;
  }

  /// All bytes, scales at the end.
  std::vector<uint8_t> bytes(Card& card) {
    std::vector<uint8_t> all = card.get<uint8_t>(values);
    const std::vector<uint8_t> more = card.get<uint8_t>(scales);
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  RowFormat format;
  int64_t width;
  DeviceBuffer values, scales;
};

/// `v` in the given form and back, as the host rounds it: what a kernel should have written of the very same floats.
inline std::vector<float> rounded(const std::vector<float>& v, int64_t width, RowFormat format) {
  std::vector<float> result(v.size());
  for (size_t row = 0; row < v.size() / static_cast<size_t>(width); ++row) {
    const size_t begin = row * static_cast<size_t>(width), end = begin + static_cast<size_t>(width);
    float largest = 0;
    for (size_t i = begin; i < end; ++i) largest = std::max(largest, std::fabs(v[i]));
    const float scale = row_scale(largest, largest_code_of(format)), inverse = reciprocal(scale);
    for (size_t i = begin; i < end; ++i) {
      result[i] = format == RowFormat::bf16   ? to_float(to_bf16(v[i]))
                  : format == RowFormat::e4m3 ? to_float(to_e4m3(v[i] * inverse)) * scale
                                              : static_cast<float>(to_int8(v[i], inverse)) * scale;
    }
  }
  return result;
}

/// The distance of neighbouring bf16 numbers at |v|.
inline float bf16_ulp(float v) {
  int exponent = 0;
  std::frexp(std::fabs(v), &exponent);
  return std::ldexp(1.0f, exponent - 8);
}

}  // namespace eyrie::cuda::test
