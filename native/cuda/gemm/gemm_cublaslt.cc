// gemm.h on a card: cuBLASLt, with algorithms chosen when the model is opened (cublaslt_trials.h). Nothing is allocated and nothing is
// asked of the library's heuristics afterwards, so that products can be captured in graphs.

#include <algorithm>
#include <string>

#include "cuda/card_plan.h"
#include "cuda/gemm.h"
#include "cuda/gemm/cublaslt_product.h"
#include "cuda/gemm/cublaslt_trials.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

/// Owns the handle; first member, so that it outlives the products.
class Handle {
 public:
  Handle() { check_cublas(cublasLtCreate(&handle_), "cublasLtCreate"); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { cublasLtDestroy(handle_); }
  cublasLtHandle_t get() const { return handle_; }

 private:
  cublasLtHandle_t handle_ = nullptr;
};

class CublasLtGemm : public Gemm {
 public:
  CublasLtGemm(Device& device, Stream& stream, const std::vector<GemmShape>& shapes, int64_t rows_max)
      : workspace_(device.alloc(kWorkspaceBytes)) {
    CublasLtTrials trials(device, stream, shapes, rows_max);
    products_.reserve(shapes.size());
    for (const GemmShape& shape : shapes) {
      products_.emplace_back(handle_.get(), shape, Workspace{workspace_.data(), workspace_.size()});
      choices_.push_back(trials.choose(products_.back()));
    }
    stream.synchronize();
  }

  int64_t padded_rows(int64_t m) const override {
    int64_t rows = rounded_rows(m);
    for (const ProductChoice& choice : choices_) {
      if (m <= choice.buckets.back().rows) rows = std::max(rows, bucket_of(choice, m).least_rows);
    }
    return rows;
  }

  void run(Stream& stream, const GemmCall& call) override {
    const auto index = static_cast<size_t>(call.shape);
    const BucketAlgorithm& bucket = bucket_of(choices_.at(index), call.m);
    GemmCall padded = call;
    padded.m = std::max(rounded_rows(call.m), bucket.least_rows);
    check_cublas(products_[index].start(stream, padded, bucket.algorithm), "cublasLtMatmul");
  }

  std::vector<std::string> report() const override {
    std::vector<std::string> lines{"cuBLASLt " + std::to_string(cublasLtGetVersion())};
    for (const ProductChoice& choice : choices_) lines.push_back(choice.report);
    return lines;
  }

 private:
  static const BucketAlgorithm& bucket_of(const ProductChoice& choice, int64_t m) {
    const auto found = std::lower_bound(choice.buckets.begin(), choice.buckets.end(), m,
                                        [](const BucketAlgorithm& bucket, int64_t rows) { return bucket.rows < rows; });
    if (m < 1 || found == choice.buckets.end()) {
      throw Error(ErrorCode::internal_error,
                  "a product of " + std::to_string(m) + " rows, planned were 1 to " + std::to_string(choice.buckets.back().rows));
    }
    return *found;
  }

  Handle handle_;
  DeviceBuffer workspace_;
  std::vector<CublasLtProduct> products_;
  std::vector<ProductChoice> choices_;
};

}  // namespace

std::unique_ptr<Gemm> open_gemm(Device& device, Stream& stream, std::vector<GemmShape> shapes, int64_t rows_max) {
  return std::make_unique<CublasLtGemm>(device, stream, shapes, rows_max);
}

}  // namespace eyrie::cuda
