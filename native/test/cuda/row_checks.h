#pragma once
// What the tests of row kernels share: random rows, a card, and what they share with the checks.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "gpu/checks/rows/row_twins.h"
#include "test/cpu/oracle.h"
#include "test/emulation/card.h"

namespace eyrie::cuda::test {

using eyrie::test::as_bf16;
using eyrie::test::random_values;

using gpu::largest_code_of;
using gpu::rounded;
using Output = gpu::RowsOnCard;

/// The distance of neighbouring bf16 numbers at |v|.
inline float bf16_ulp(float v) {
  int exponent = 0;
  std::frexp(std::fabs(v), &exponent);
  return std::ldexp(1.0f, exponent - 8);
}

}  // namespace eyrie::cuda::test
