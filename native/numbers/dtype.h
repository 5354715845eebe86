#pragma once
// The element types of weights, activations and caches.

#include <cstddef>
#include <cstdint>

namespace eyrie {

enum class DType : uint8_t {
  float32,
  bfloat16,
  float16,  ///< only as the source of weights; nothing is computed in it
  int8,     ///< only for weights: one scale per output channel
  fp8,      ///< e4m3, only for weights: one scale per output channel; CUDA alone
};

constexpr size_t dtype_bytes(DType t) { return t == DType::float32 ? 4 : t == DType::int8 || t == DType::fp8 ? 1 : 2; }

constexpr const char* dtype_name(DType t) {
  switch (t) {
    case DType::float32: return "float32";
    case DType::bfloat16: return "bfloat16";
    case DType::float16: return "float16";
    case DType::int8: return "int8";
    case DType::fp8: return "fp8";
  }
  return "?";
}

/// The type in which a layer with weights of type `weights` takes its input: float32 stays exact, all else is bfloat16.
constexpr DType activation_dtype(DType weights) { return weights == DType::float32 ? DType::float32 : DType::bfloat16; }

}  // namespace eyrie
