#pragma once
// Random rows and the widths at which the row kernels are checked.

#include <vector>

#include "cpu/compute.h"
#include "gpu/checks/transfer.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

inline constexpr cuda::RowFormat kRowFormats[] = {cuda::RowFormat::bf16, cuda::RowFormat::e4m3, cuda::RowFormat::int8};

inline const char* format_text(cuda::RowFormat format) {
  return format == cuda::RowFormat::bf16 ? " bf16" : format == cuda::RowFormat::e4m3 ? " e4m3" : " int8";
}

inline std::vector<float> normal_values(int64_t count, uint64_t seed, float size) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = size * normal_value(i, seed);
  return values;
}

inline std::vector<bf16> as_bf16(const std::vector<float>& values) {
  std::vector<bf16> narrow(values.size());
  for (size_t i = 0; i < values.size(); ++i) narrow[i] = to_bf16(values[i]);
  return narrow;
}

inline std::vector<float> as_floats(const std::vector<bf16>& values) {
  std::vector<float> wide(values.size());
  for (size_t i = 0; i < values.size(); ++i) wide[i] = to_float(values[i]);
  return wide;
}

/// Hidden sizes: odd ones, then those of Falcon-7B, 40B and 180B.
inline std::vector<int> hidden_sizes(CheckSize size) {
  if (size == CheckSize::small) return {77, 264};
  if (size == CheckSize::brief) return {1001, 8192};
  return {1, 7, 48, 77, 264, 1001, 4544, 5003, 8192, 14848};
}

/// Sizes of the layer between up and down.
inline std::vector<int> ffn_sizes(CheckSize size) {
  if (size == CheckSize::small) return {77, 1024};
  if (size == CheckSize::brief) return {1001, 32768};
  return {1, 7, 48, 1001, 4096, 18176, 32768, 59392};
}

/// The twin, in plain code and on one thread.
struct HostCompute {
  ThreadPool pool{1, false};
  Compute compute = make_compute(pool, Isa::scalar);
};

}  // namespace eyrie::gpu
