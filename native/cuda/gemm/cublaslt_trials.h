#pragma once
// Tries the algorithms of one product on random numbers at start, and keeps, for every number of rows, the fastest of one class of bits.

#include <cstdint>
#include <string>
#include <vector>

#include "cuda/device.h"
#include "cuda/gemm/cublaslt_product.h"

namespace eyrie::cuda {

/// Numbers of rows for which algorithms are chosen: up to `rows_max`, which is the last one (rounded up to 16).
std::vector<int64_t> row_buckets(int64_t rows_max);

/// What runs for products of up to `rows` rows.
struct BucketAlgorithm {
  int64_t rows = 0;
  /// Products of fewer rows than this compute this many: where only the algorithm of a larger bucket gives the bits.
  int64_t least_rows = 0;
  cublasLtMatmulAlgo_t algorithm{};
  float microseconds = 0;
};

struct ProductChoice {
  std::vector<BucketAlgorithm> buckets;  // ascending
  std::string report;
};

/// Memory for the trials of all products, freed when they are over.
class CublasLtTrials {
 public:
  CublasLtTrials(Device& device, Stream& stream, const std::vector<GemmShape>& shapes, int64_t rows_max);

  /// Throws unsupported_device where the product has no algorithm without split sums.
  ProductChoice choose(CublasLtProduct& product);

 private:
  /// Rows that all trials share: the rows of x repeat after so many, and so must those of y.
  static constexpr int64_t kSharedRows = 16;

  struct Outcome {
    bool usable = false;
    uint64_t bits = 0;
    float microseconds = 0;
  };
  struct Bucket;

  std::vector<int64_t> buckets_of(const GemmShape& shape) const;
  GemmCall call(int64_t rows) const;
  void fill(const GemmShape& shape);
  void fill_rows(DeviceBuffer& target, size_t bytes, size_t period);
  /// Of `rows` rows; not usable where the algorithm refuses, or where a row's bits depend on its place.
  bool bits_of(CublasLtProduct& product, int64_t rows, const cublasLtMatmulAlgo_t& algorithm, uint64_t& bits);
  Outcome try_out(CublasLtProduct& product, int64_t least_rows, int64_t rows, const cublasLtMatmulAlgo_t& algorithm);
  std::vector<Bucket> try_all(CublasLtProduct& product);
  BucketAlgorithm borrow(CublasLtProduct& product, int64_t least_rows, int64_t rows, const BucketAlgorithm& larger, uint64_t bits);

  Stream& stream_;
  int64_t rows_max_;
  DeviceBuffer w_, x_, y_, w_scales_, x_scales_;
  PinnedBuffer random_;   // operands of 8 or 16 bits are made of it
  PinnedBuffer results_;  // two times the shared rows of y
  Event begin_, end_;
};

}  // namespace eyrie::cuda
