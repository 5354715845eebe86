#pragma once
// What a checkpoint header says about one tensor, after all checks: where its row-major bytes lie.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace eyrie {

/// The dtypes of published Falcon weights first, then those of weights in 8 bits that `eyrie model convert` has written; the others
/// occur only in buffers that are ignored, such as causal masks.
enum class TensorDtype : uint8_t { bf16, f16, f32, i8, f8_e4m3, f64, i64, i32, i16, u8, boolean };

/// Bytes of one element.
size_t dtype_bytes(TensorDtype dtype);
/// "BF16", as safetensors spells it.
const char* dtype_name(TensorDtype dtype);
bool is_weight_dtype(TensorDtype dtype);
/// I8 and F8_E4M3: weights with a scale per row.
bool is_stored_in_8_bits(TensorDtype dtype);

struct TensorInfo {
  std::string name;
  TensorDtype dtype = TensorDtype::f32;
  std::vector<uint64_t> shape;
  /// First byte, counted from the start of the file.
  uint64_t offset = 0;
  /// product(shape) * dtype_bytes(dtype).
  uint64_t bytes = 0;
  /// Which of the checkpoint's files holds it.
  size_t file = 0;
};

/// "[65024, 8192]".
std::string shape_text(const std::vector<uint64_t>& shape);

/// product(shape) * element_bytes into `bytes`; false when it does not fit 63 bits.
bool shape_bytes(const std::vector<uint64_t>& shape, size_t element_bytes, uint64_t& bytes);

}  // namespace eyrie
