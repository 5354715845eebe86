#pragma once
// Kernels of the lab and of the first checks: fill, hash, read.

#include <cstdint>

#include "cuda/device.h"

namespace eyrie::gpu {

enum class ValueType { bf16, e4m3, int8 };

constexpr int64_t value_bytes(ValueType type) { return type == ValueType::bf16 ? 2 : 1; }

/// out[i] = normal_value(i, seed) in the type: as it is in bf16, times 64 in e4m3 (most of its range is used), times 32 and cut off
/// at +-127 in int8.
void fill_values(cuda::Stream& stream, void* out, int64_t count, ValueType type, uint64_t seed);

/// out[i] = 0.01 * (1 + uniform_value(i, seed) / 2): scales of FP8 matrices.
void fill_scales(cuda::Stream& stream, float* out, int64_t count, uint64_t seed);

/// *out += a hash of the words that depends on their places, by integer sums: equal in any order.
void hash_words(cuda::Stream& stream, const uint32_t* words, int64_t count, unsigned long long* out);

/// Reads `bytes` (a multiple of 16), 16 bytes per thread and step, on `blocks` blocks; writes to *sink only when the bits say so.
void read_all(cuda::Stream& stream, const void* data, int64_t bytes, int blocks, uint32_t* sink);

}  // namespace eyrie::gpu
