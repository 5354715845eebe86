#pragma once
// One model, or a part of it, on one card (or one rank's share of it): the Backend of the engine, with a pass of lookahead. Everything runs in one stream, so
// a pass sees what the one before it left, and the host waits in collect() alone.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cuda/pass/draws.h"
#include "cuda/pass/forward_pass.h"
#include "cuda/pass/graphs.h"
#include "cuda/pass/kv_pages.h"
#include "cuda/pass/pass_buffers.h"
#include "cuda/pass/pass_inputs.h"
#include "cuda/pass/slot_memory.h"
#include "cuda/ranks/rank_group.h"
#include "cuda/weights.h"
#include "engine/backend.h"
#include "model/falcon_config.h"

namespace eyrie::cuda {

/// Raise it with any change that can alter a byte of a result.
inline constexpr const char* kCudaNumerics = "eyrie-cuda-1";

struct CudaBackendOptions {
  FalconConfig config;
  LayerFormats format = RowFormat::bf16;  // of the layers' weights
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;
  uint32_t rows_max = 0;
  /// 0: as many as fit, at most what all slots can use. Must be set where several ranks share the model, for all to the same:
  /// the least that plan_pages() gives for any of them, before the ranks take memory.
  uint32_t kv_pages = 0;
  std::vector<uint32_t> stop_token_ids;
  bool graphs = true;
  RankShare share;
};

/// Pages of keys and values that the backend would have, as `options` ask or as many as fit. Throws unsupported_device for a card or a form
/// of model that the kernels do not support, out_of_memory for what does not fit.
uint32_t plan_pages(const Device& device, const CudaBackendOptions& options);

/// Called by the thread that made it, or by one that has called Device::make_current().
class CudaBackend : public Backend {
 public:
  /// Takes all memory and chooses the matrix products; throws unsupported_device and out_of_memory. `group` (null: one card has it all)
  /// must outlive the backend. The weights are to be filled before the first forward(): weights().sink(stream()).
  CudaBackend(std::shared_ptr<Device> device, const CudaBackendOptions& options, RankGroup* group = nullptr);
  ~CudaBackend() override;

  const Device& device() const { return *device_; }
  Weights& weights() { return weights_; }
  Stream& stream() { return stream_; }
  const Gemm& gemm() const { return *gemm_; }

  const BackendInfo& info() const override { return info_; }
  void open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) override;
  void release_pages(uint32_t slot) override;
  void copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) override;
  void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) override;
  void draw(std::span<const HeadRow> rows) override;
  std::span<const HeadResult> collect() override;
  void put_residual(std::span<const float> rows) override;
  void get_residual(std::span<float> rows) override;
  uint64_t multiply_adds() const override { return multiply_adds_; }

 private:
  struct Copy {
    uint32_t from, to, tokens;
  };
  void check_spans(std::span<const PassSpan> spans) const;
  void check_residual(size_t values) const;
  PagedCache cache() const;
  PassContext context();
  BackendInfo describe() const;

  CudaBackendOptions options_;
  std::shared_ptr<Device> device_;
  RankGroup* group_;
  KvPages pages_;
  Stream stream_;
  std::unique_ptr<Gemm> gemm_;  // before the weights: the trials take up to 2 GB for a while
  Weights weights_;
  AttentionShape attention_;
  PassInputs inputs_;
  PassBuffers buffers_;
  SlotMemory slots_;
  Draws draws_;
  DeviceBuffer cos_sin_;
  DeviceBuffer cache_;
  ForwardPass pass_;
  DecodeGraphs graphs_;
  std::vector<Copy> copies_;  // for the next pass, when the card has its page table
  PassShape shape_;           // of the latest pass
  uint64_t multiply_adds_ = 0;
  BackendInfo info_;
};

}  // namespace eyrie::cuda
