#pragma once
#include <cstdint>

namespace eyrie::test {

/// Numbers of slots by which fake_cuda.cc is told what to do; with any other it loads the weights.
inline constexpr uint32_t kDoesNotFit = 7;
inline constexpr uint32_t kLoadsNothing = 9;

}  // namespace eyrie::test
