#pragma once
// The values of a stored tensor as float32, whatever their dtype. For small tensors and for looking at large ones piece by piece;
// matrices that are loaded go through cpu/linear/linear.h instead.

#include <cstdint>
#include <vector>

#include "io/checkpoint.h"

namespace eyrie {

/// Values [first, first + count) in row-major order. The dtype must be BF16, F16 or F32, and the range must lie in the tensor.
std::vector<float> read_values(const Checkpoint& checkpoint, const TensorInfo& tensor, uint64_t first, uint64_t count);

/// Throws model_invalid naming the tensor unless all `values` are finite.
void check_finite(const Checkpoint& checkpoint, const TensorInfo& tensor, const std::vector<float>& values);
/// Throws model_invalid unless all values are zero: a linear bias in a checkpoint whose config has none.
void require_zeros(const Checkpoint& checkpoint, const TensorInfo& tensor);
[[noreturn]] void refuse_nonfinite(const Checkpoint& checkpoint, const TensorInfo& tensor);

}  // namespace eyrie
