#include "cuda/gemm/cublaslt_trials.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <random>

#include "cuda/gemm/bit_classes.h"
#include "cuda/kernels/numbers.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr size_t kRandomBytes = size_t{4} << 20;
/// Runs that are timed together, after one to warm up.
constexpr int kTimedRuns = 3;

/// Roughly normal values, so that power and clocks are those of real data. Millions of them at every start: one step of the generator
/// gives the four uniform values of a sum.
template <class T, class Make>
void make_random(void* target, size_t bytes, Make make) {
  std::mt19937_64 random(1);
  for (size_t i = 0; i < bytes / sizeof(T); ++i) {
    const uint64_t bits = random();
    const uint64_t sum = (bits & 0xffffu) + (bits >> 16 & 0xffffu) + (bits >> 32 & 0xffffu) + (bits >> 48);
    static_cast<T*>(target)[i] = make((static_cast<float>(sum) * 0x1p-16f - 2) * 1.7f);
  }
}

uint64_t hash(const void* data, size_t bytes) {
  const auto* words = static_cast<const uint32_t*>(data);
  uint64_t value = 0xcbf29ce484222325u;
  for (size_t i = 0; i < bytes / sizeof(uint32_t); ++i) value = (value ^ words[i]) * 0x100000001b3u;
  return value;
}

}  // namespace

std::vector<int64_t> row_buckets(int64_t rows_max) {
  const int64_t last = rounded_rows(rows_max);
  std::vector<int64_t> rows;
  // Fine steps where decode passes run, an eighth to a quarter of the rows beyond.
  for (int64_t next = 16; next < last;) {
    rows.push_back(next);
    next += next < 32 ? 16 : next < 256 ? 32 : next < 512 ? 64 : next < 1024 ? 128 : next < 2048 ? 256 : 1024;
  }
  rows.push_back(last);
  return rows;
}

/// Fewest rows, as they are computed, that fall into a bucket.
static int64_t least_rows_of(const std::vector<int64_t>& rows, size_t bucket) { return bucket == 0 ? rows[0] : rows[bucket - 1] + 16; }

struct CublasLtTrials::Bucket {
  std::vector<cublasLtMatmulAlgo_t> algorithms;
  std::vector<Candidate> candidates;
};

CublasLtTrials::CublasLtTrials(Device& device, Stream& stream, const std::vector<GemmShape>& shapes, int64_t rows_max)
    : stream_(stream), rows_max_(rows_max), begin_(device), end_(device) {
  size_t w = 0;
  size_t x = 0;
  size_t y = 0;
  size_t n = 0;
  size_t result = 0;
  for (const GemmShape& shape : shapes) {
    const auto rows = static_cast<size_t>(buckets_of(shape).back());
    const auto shape_n = static_cast<size_t>(shape.n);
    const auto shape_k = static_cast<size_t>(shape.k);
    w = std::max(w, shape_n * shape_k * operand_bytes(shape));
    x = std::max(x, rows * shape_k * operand_bytes(shape));
    y = std::max(y, rows * shape_n * result_bytes(shape));
    n = std::max(n, shape_n);
    result = std::max(result, kSharedRows * shape_n * result_bytes(shape));
  }
  w_ = device.alloc(w);
  x_ = device.alloc(x);
  y_ = device.alloc(y);
  w_scales_ = device.alloc(n * sizeof(float));
  x_scales_ = device.alloc(static_cast<size_t>(rounded_rows(rows_max)) * sizeof(float));
  random_ = device.alloc_pinned(kRandomBytes);
  results_ = device.alloc_pinned(2 * result);
}

std::vector<int64_t> CublasLtTrials::buckets_of(const GemmShape& shape) const {
  return row_buckets(shape.rows_max == 0 ? rows_max_ : shape.rows_max);
}

/// Fills `target` with copies of the first `period` random bytes.
void CublasLtTrials::fill_rows(DeviceBuffer& target, size_t bytes, size_t period) {
  for (size_t done = 0; done < bytes; done += period) {
    stream_.copy_to_device(target.as<std::byte>() + done, random_.data(), std::min(period, bytes - done));
  }
  stream_.synchronize();
}

void CublasLtTrials::fill(const GemmShape& shape) {
  const auto rows = static_cast<size_t>(buckets_of(shape).back());
  if (shape.operands == RowFormat::e4m3) {
    // Scales that differ, and not by powers of two, so that a mix-up shows in the bits.
    const size_t bytes = std::min(kRandomBytes, static_cast<size_t>(shape.n) * sizeof(float));
    make_random<float>(random_.data(), bytes, [](float v) { return 0.01f + 0.002f * v; });
    fill_rows(w_scales_, static_cast<size_t>(shape.n) * sizeof(float), bytes);
    fill_rows(x_scales_, rows * sizeof(float), kSharedRows * sizeof(float));
  }
  const size_t row = static_cast<size_t>(shape.k) * operand_bytes(shape);
  const size_t needed = std::min(kRandomBytes, std::max<size_t>(kSharedRows, static_cast<size_t>(shape.n)) * row);
  switch (shape.operands) {
    case RowFormat::bf16: make_random<bf16>(random_.data(), needed, [](float v) { return to_bf16(v); }); break;
    case RowFormat::e4m3: make_random<e4m3>(random_.data(), needed, [](float v) { return to_e4m3(v * 64); }); break;
    case RowFormat::int8:
      make_random<int8_t>(random_.data(), needed, [](float v) { return static_cast<int8_t>(std::clamp(v * 32, -127.0f, 127.0f)); });
      break;
  }
  fill_rows(x_, rows * row, kSharedRows * row);
  fill_rows(w_, static_cast<size_t>(shape.n) * row, needed / row * row);
}

GemmCall CublasLtTrials::call(int64_t rows) const {
  return {0, rows, x_.data(), x_scales_.as<float>(), w_.data(), w_scales_.as<float>(), y_.data()};
}

bool CublasLtTrials::bits_of(CublasLtProduct& product, int64_t rows, const cublasLtMatmulAlgo_t& algorithm, uint64_t& bits) {
  const size_t row = static_cast<size_t>(product.shape().n) * result_bytes(product.shape());
  if (product.start(stream_, call(rows), algorithm) != CUBLAS_STATUS_SUCCESS) {
    cudaGetLastError();  // a refusal is not the context's end
    return false;
  }
  auto* const first = results_.as<std::byte>();
  auto* const last = first + kSharedRows * row;
  stream_.copy_to_host(first, y_.data(), kSharedRows * row);
  stream_.copy_to_host(last, y_.as<std::byte>() + static_cast<size_t>(rows - kSharedRows) * row, kSharedRows * row);
  stream_.synchronize();
  if (std::memcmp(first, last, kSharedRows * row) != 0) return false;
  bits = hash(first, kSharedRows * row);
  return true;
}

CublasLtTrials::Outcome CublasLtTrials::try_out(CublasLtProduct& product, int64_t least_rows, int64_t rows,
                                                const cublasLtMatmulAlgo_t& algorithm) {
  Outcome outcome;
  uint64_t of_least = 0;
  if (!bits_of(product, rows, algorithm, outcome.bits) || !bits_of(product, least_rows, algorithm, of_least)) return outcome;
  if (of_least != outcome.bits) return outcome;
  stream_.record(begin_);
  for (int i = 0; i < kTimedRuns; ++i) check_cublas(product.start(stream_, call(rows), algorithm), "cublasLtMatmul");
  stream_.record(end_);
  end_.synchronize();
  outcome.microseconds = static_cast<float>(end_.elapsed_since(begin_).count() * 1000 / kTimedRuns);
  outcome.usable = true;
  return outcome;
}

std::vector<CublasLtTrials::Bucket> CublasLtTrials::try_all(CublasLtProduct& product) {
  const std::vector<int64_t> rows = buckets_of(product.shape());
  std::vector<Bucket> buckets(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    for (const cublasLtMatmulAlgo_t& algorithm : product.algorithms(rows[i], call(rows[i]))) {
      const Outcome outcome = try_out(product, least_rows_of(rows, i), rows[i], algorithm);
      if (!outcome.usable) continue;
      buckets[i].algorithms.push_back(algorithm);
      buckets[i].candidates.push_back({outcome.bits, outcome.microseconds});
    }
  }
  return buckets;
}

/// The algorithm of a larger bucket for this one: with its own rows where that gives the bits, else with as many as the larger one needs.
BucketAlgorithm CublasLtTrials::borrow(CublasLtProduct& product, int64_t least_rows, int64_t rows, const BucketAlgorithm& larger,
                                       uint64_t bits) {
  BucketAlgorithm mine = larger;
  mine.rows = rows;
  const Outcome outcome = try_out(product, least_rows, rows, larger.algorithm);
  if (outcome.usable && outcome.bits == bits) {
    mine.least_rows = 0;
    mine.microseconds = outcome.microseconds;
  } else {
    mine.least_rows = std::max(larger.least_rows, larger.rows);
  }
  return mine;
}

ProductChoice CublasLtTrials::choose(CublasLtProduct& product) {
  const GemmShape& shape = product.shape();
  fill(shape);
  const std::vector<Bucket> buckets = try_all(product);
  if (buckets.back().algorithms.empty()) {
    throw Error(ErrorCode::unsupported_device, std::string("cuBLASLt has no algorithm without split sums for the product ") + shape.name +
                                                   " [" + std::to_string(shape.n) + ", " + std::to_string(shape.k) +
                                                   "]; choose another dtype, or run it on the CPU (--device cpu)");
  }
  std::vector<std::vector<Candidate>> candidates;
  for (const Bucket& bucket : buckets) candidates.push_back(bucket.candidates);
  const ClassChoice choice = choose_class(candidates);

  ProductChoice chosen;
  const std::vector<int64_t> rows = buckets_of(shape);
  chosen.buckets.resize(rows.size());
  int own = 0;
  for (size_t i = rows.size(); i-- > 0;) {
    const int fastest = choice.fastest[i];
    if (fastest >= 0) {
      const auto at = static_cast<size_t>(fastest);
      chosen.buckets[i] = {rows[i], 0, buckets[i].algorithms[at], buckets[i].candidates[at].microseconds};
      ++own;
    } else {
      chosen.buckets[i] = borrow(product, least_rows_of(rows, i), rows[i], chosen.buckets[i + 1], choice.bits);
    }
  }
  char text[192];
  std::snprintf(text, sizeof text, "%s [%lld, %lld]: one class of bits, %d of %zu row counts with algorithms of their own, bits %016llx;",
                shape.name, static_cast<long long>(shape.n), static_cast<long long>(shape.k), own, rows.size(),
                static_cast<unsigned long long>(choice.bits));
  chosen.report = text;
  for (const BucketAlgorithm& bucket : chosen.buckets) {
    std::snprintf(text, sizeof text, " %lld: %.1f us", static_cast<long long>(bucket.rows), static_cast<double>(bucket.microseconds));
    chosen.report += text;
  }
  return chosen;
}

}  // namespace eyrie::cuda
