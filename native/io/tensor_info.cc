#include "io/tensor_info.h"

namespace eyrie {

size_t dtype_bytes(TensorDtype dtype) {
  switch (dtype) {
    case TensorDtype::f64:
    case TensorDtype::i64: return 8;
    case TensorDtype::f32:
    case TensorDtype::i32: return 4;
    case TensorDtype::bf16:
    case TensorDtype::f16:
    case TensorDtype::i16: return 2;
    case TensorDtype::i8:
    case TensorDtype::f8_e4m3:
    case TensorDtype::u8:
    case TensorDtype::boolean: return 1;
  }
  return 0;
}

const char* dtype_name(TensorDtype dtype) {
  switch (dtype) {
    case TensorDtype::bf16: return "BF16";
    case TensorDtype::f16: return "F16";
    case TensorDtype::f32: return "F32";
    case TensorDtype::f64: return "F64";
    case TensorDtype::i64: return "I64";
    case TensorDtype::i32: return "I32";
    case TensorDtype::i16: return "I16";
    case TensorDtype::i8: return "I8";
    case TensorDtype::f8_e4m3: return "F8_E4M3";
    case TensorDtype::u8: return "U8";
    case TensorDtype::boolean: return "BOOL";
  }
  return "?";
}

bool is_weight_dtype(TensorDtype dtype) { return dtype == TensorDtype::bf16 || dtype == TensorDtype::f16 || dtype == TensorDtype::f32; }

bool is_stored_in_8_bits(TensorDtype dtype) { return dtype == TensorDtype::i8 || dtype == TensorDtype::f8_e4m3; }

std::string shape_text(const std::vector<uint64_t>& shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  return out + "]";
}

bool shape_bytes(const std::vector<uint64_t>& shape, size_t element_bytes, uint64_t& bytes) {
  bytes = element_bytes;
  for (const uint64_t dimension : shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes) || bytes > static_cast<uint64_t>(INT64_MAX)) return false;
  }
  return true;
}

}  // namespace eyrie
