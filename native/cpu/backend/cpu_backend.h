#pragma once
// The model on this machine's CPU. Nothing runs beside the host: forward() and draw() compute at once (lookahead 0), and collect()
// hands out what draw() found.

#include <exception>
#include <memory>
#include <mutex>
#include <vector>

#include "cpu/backend/falcon_model.h"
#include "cpu/backend/row_drawer.h"
#include "cpu/compute.h"
#include "engine/backend.h"

namespace eyrie {

class CpuBackend final : public Backend {
 public:
  CpuBackend(const FalconConfig& config, DType dtype, std::unique_ptr<FalconWeights> weights, const Compute& compute,
             const BatchShape& shape);

  const BackendInfo& info() const override { return info_; }
  void open_slot(uint32_t slot, const SamplingParams& sampling, std::span<const uint32_t> prompt, uint32_t tokens) override;
  void release_pages(uint32_t) override {}
  void copy_prefix(uint32_t from, uint32_t to, uint32_t tokens) override { model_.copy_prefix(from, to, tokens); }
  void forward(std::span<const int32_t> tokens, std::span<const PassSpan> spans) override;
  void draw(std::span<const HeadRow> rows) override;
  std::span<const HeadResult> collect() override { return results_; }
  void put_residual(std::span<const float> rows) override;
  void get_residual(std::span<float> rows) override;
  uint64_t multiply_adds() const override { return model_.multiply_adds(); }

 private:
  void draw_row(const HeadRow& row, std::span<float> logits, int thread, size_t place);

  Compute compute_;
  uint32_t vocab_;
  uint32_t head_rows_max_;
  FalconModel model_;
  BackendInfo info_;
  std::vector<SlotDraws> slots_;
  std::vector<RowDrawer> drawers_;  // [threads]
  std::vector<int32_t> tokens_;     // of the pass, with what the slots drew in place of kDrawn
  std::vector<HeadResult> results_;
  std::vector<TopLogprobs> best_;  // [results], what their spans point at
  std::mutex failure_mutex_;
  std::exception_ptr failure_;  // out of memory
};

}  // namespace eyrie
