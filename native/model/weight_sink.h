#pragma once
// Where the weights of a checkpoint go: a backend's matrices, in whatever form it keeps them. H = hidden, Q = query_size,
// KV = kv_size, F = ffn, V = vocabulary.

#include <cstddef>
#include <cstdint>
#include <span>

#include "io/tensor_info.h"
#include "numbers/dtype.h"

namespace eyrie {

/// One weight matrix [n, k] of the model that is filled by blocks of rows, in any order, each row exactly once. A backend may keep a
/// part of it only (a rank's share); it is given all rows all the same.
class MatrixTarget {
 public:
  virtual ~MatrixTarget() = default;
  virtual int64_t n() const = 0;
  virtual int64_t k() const = 0;
  /// The type in which the matrix is kept, for messages.
  virtual DType dtype() const = 0;
  /// Whether it takes values that are stored in 8 bits with a scale per row (`type` i8 or f8_e4m3): as they are, or widened.
  virtual bool takes_stored(TensorDtype type) const = 0;
  /// Rows [first, first + count) from row-major `rows` [count, k] of type `type`, which lie in one block of the ring; `scales` [count],
  /// finite and not negative, for stored 8-bit values, else null. May return before `rows` was read (see WeightSink::wait_read()), not
  /// before `scales` was. Called by the loading thread alone.
  virtual void put_rows(int64_t first, int64_t count, const std::byte* rows, TensorDtype type, const float* scales) = 0;
  /// How many of the values were NaN or infinite, as far as is known: all of them after WeightSink::finish().
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

class [[gnu::visibility("default")]] WeightSink {
 public:
  virtual ~WeightSink() = default;
  /// Null in a part of a model that has no use for it.
  virtual MatrixTarget* embedding() = 0;
  /// Null where the embedding serves as head, and in a part without one.
  virtual MatrixTarget* own_head() = 0;
  virtual LayerTargets layer(uint32_t index) = 0;
  virtual NormTargets final_norm() = 0;

  /// Memory into which files are read: `blocks` blocks of `block_bytes`, one after the other; pinned where a card copies from it. Called
  /// once. `block_bytes` is a multiple of 64.
  virtual std::span<std::byte> ring(size_t block_bytes, size_t blocks) = 0;
  /// Threads that read files at once: one where the processor has its hands full with packing, more where a card does the work.
  virtual int readers() const = 0;
  /// Waits until all rows that were put from the block at `block` have been read, so that it may be overwritten. Called by the thread
  /// that reads files into it, when nothing more is put from it.
  virtual void wait_read(const std::byte* block) = 0;
  /// All rows and vectors were put: makes them ready for use, and nonfinite() final.
  virtual void finish() = 0;
};

}  // namespace eyrie
