#pragma once
// What the op tests share: reproducible inputs and the levels to run.

#include <gtest/gtest.h>

#include <cstdint>
#include <ostream>
#include <vector>

#include "cpu/compute.h"
#include "numbers/bfloat16.h"
#include "sampling/philox.h"
#include "threads/thread_pool.h"

namespace eyrie {
/// How GoogleTest shows a level.
inline void PrintTo(Isa isa, std::ostream* out) { *out << isa_name(isa); }
}  // namespace eyrie

namespace eyrie::test {

/// Values roughly normal, reproducible from `seed`.
inline std::vector<float> random_values(int64_t n, uint64_t seed, float scale = 1.0f) {
  std::vector<float> v(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    float sum = 0;
    for (uint64_t j = 0; j < 4; ++j) sum += philox_uniform(seed, j, static_cast<uint64_t>(i)) - 0.5f;
    v[static_cast<size_t>(i)] = sum * 1.732f * scale;
  }
  return v;
}

inline std::vector<bf16> as_bf16(const std::vector<float>& v) {
  std::vector<bf16> r;
  for (float x : v) r.push_back(to_bf16(x));
  return r;
}

/// A test that runs on every level of this CPU.
class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  ThreadPool pool{2, false};
  Compute compute = make_compute(pool, GetParam());
};

inline std::string isa_test_name(const testing::TestParamInfo<Isa>& info) { return isa_name(info.param); }

#define EYRIE_EVERY_ISA(suite) \
  INSTANTIATE_TEST_SUITE_P(Isa, suite, testing::ValuesIn(::eyrie::supported_isas()), ::eyrie::test::isa_test_name)

}  // namespace eyrie::test
