#include "model/tensor_values.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "error.h"
#include "io/quoted_text.h"
#include "numbers/bfloat16.h"
#include "numbers/float16.h"

namespace eyrie {

std::vector<float> read_values(const Checkpoint& checkpoint, const TensorInfo& tensor, uint64_t first, uint64_t count) {
  const size_t element = dtype_bytes(tensor.dtype);
  std::vector<std::byte> bytes(static_cast<size_t>(count) * element);
  checkpoint.read(tensor, first * element, bytes);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte* at = bytes.data() + i * element;
    if (tensor.dtype == TensorDtype::f32) {
      std::memcpy(&values[i], at, sizeof(float));
    } else {
      uint16_t bits = 0;
      std::memcpy(&bits, at, sizeof(bits));
      values[i] = tensor.dtype == TensorDtype::bf16 ? to_float(bf16{bits}) : to_float(fp16{bits});
    }
  }
  return values;
}

void check_finite(const Checkpoint& checkpoint, const TensorInfo& tensor, const std::vector<float>& values) {
  if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
    refuse_nonfinite(checkpoint, tensor);
  }
}

void require_zeros(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  const std::vector<float> values = read_values(checkpoint, tensor, 0, tensor.shape[0]);
  check_finite(checkpoint, tensor, values);
  if (std::all_of(values.begin(), values.end(), [](float value) { return value == 0; })) return;
  throw Error(ErrorCode::model_invalid, checkpoint.file_name(tensor) + ": " + quoted_text(tensor.name) +
                                            " is not zero, but config.json says the model has no linear biases");
}

void refuse_nonfinite(const Checkpoint& checkpoint, const TensorInfo& tensor) {
  throw Error(ErrorCode::model_invalid,
              checkpoint.file_name(tensor) + ": tensor " + quoted_text(tensor.name) + " holds NaN or infinite weights");
}

}  // namespace eyrie
