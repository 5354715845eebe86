#pragma once
// Where the weights of a checkpoint go: a backend's matrices, in whatever form it keeps them. H = hidden, Q = query_size,
// KV = kv_size, F = ffn, V = vocabulary.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "io/tensor_info.h"

namespace eyrie {

/// One weight matrix [n, k] that is filled by blocks of rows, in any order, each row exactly once.
class MatrixTarget {
 public:
  virtual ~MatrixTarget() = default;
  virtual int64_t n() const = 0;
  virtual int64_t k() const = 0;
  /// Whether it takes values that are stored in 8 bits with a scale per row (`type` i8 or f8_e4m3).
  virtual bool takes_stored(TensorDtype type) const = 0;
  /// Rows [first, first + count) from row-major `rows` [count, k] of type `type`; `scales` [count] for stored 8-bit values, else null.
  /// May return before `rows` was read: see WeightSink::wait_read(). Called by one thread.
  virtual void put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) = 0;
  /// Values that were NaN or infinite so far; after WeightSink::finish() of all rows.
  virtual uint64_t nonfinite() const = 0;
};

struct NormTargets {
  std::span<float> weight;  // [H]
  std::span<float> bias;    // [H]
};

struct LinearTarget {
  MatrixTarget* weight = nullptr;
  std::span<float> bias;  // [n]; empty without linear_bias
};

struct LayerTargets {
  NormTargets attention_norm;
  NormTargets mlp_norm;  ///< empty where one norm serves both
  LinearTarget qkv;      ///< [Q + 2 KV, H]: all queries, all keys, all values (files interleave them by group)
  LinearTarget dense;    ///< [H, Q]
  LinearTarget up;       ///< [F, H]
  LinearTarget down;     ///< [H, F]
};

class WeightSink {
 public:
  virtual ~WeightSink() = default;
  virtual MatrixTarget& embedding() = 0;
  /// Null where the embedding serves as head.
  virtual MatrixTarget* own_head() = 0;
  virtual LayerTargets layer(uint32_t index) = 0;
  virtual NormTargets final_norm() = 0;

  /// Memory into which files are read, for a ring of blocks: pinned where a card copies from it.
  virtual std::span<std::byte> ring(size_t bytes) = 0;
  /// Threads that read files at once.
  virtual int readers() const = 0;
  /// Waits until the rows that were put from `rows` have been read, so that the block may be overwritten. Called by any thread.
  virtual void wait_read(const std::byte* rows) = 0;
  /// All rows and vectors were put: makes them ready for use, and nonfinite() final.
  virtual void finish() = 0;
};

}  // namespace eyrie
