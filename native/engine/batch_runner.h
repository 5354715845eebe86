#pragma once
// Runs sequences through the model, pass by pass. Single-threaded towards its caller (the kernels below use the pool), without
// clock, queue or locks: whoever owns it calls step() as long as there is work.
//
// A pass: the scheduler names the rows; prefixes are copied; the model runs; each row of logits becomes a token, in parallel over
// rows; sequences that ended leave their slots, which the next pass fills again.

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "cpu/backend/falcon_model.h"
#include "cpu/compute.h"
#include "engine/engine_options.h"
#include "engine/outcome.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/token_news.h"
#include "engine/token_step.h"

namespace eyrie {

/// Rows of the largest pass, and rows that get logits at a time.
uint32_t pass_rows_max(const EngineOptions& options);
uint32_t head_rows_max(const EngineOptions& options);

class BatchRunner {
 public:
  /// `options` must outlive the runner.
  BatchRunner(const EngineOptions& options, std::unique_ptr<FalconWeights> weights, DType dtype, const Compute& compute);

  void add(std::unique_ptr<Sequence> sequence);
  /// The sequence ends with what it has, reported by the next step(). Unknown ids are ignored.
  void cancel(uint64_t id);
  bool has_work() const { return !sequences_.empty(); }
  /// One pass; appends what ended to `outcomes`, and what watched sequences that go on have generated to `news`.
  void step(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);
  /// Ends everything with the same failure.
  void fail_all(const Failure& failure, std::vector<Outcome>& outcomes);

  const EngineReport& report() const { return report_; }
  const FalconModel& model() const { return model_; }

 private:
  /// A row that gets logits: it scores a prompt token, or yields the next token.
  struct HeadRow {
    uint32_t slot = 0;
    uint32_t position = 0;
    bool generates = false;
  };

  void end_cancelled(std::vector<Outcome>& outcomes);
  void compose();
  void add_span(uint32_t slot, uint32_t first_position, uint32_t rows, uint32_t head_rows, bool generates);
  void finish_rows();
  void finish_row(const HeadRow& row, std::span<float> logits, int thread);
  void conclude(uint32_t slot, std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);
  void release(uint32_t slot, std::vector<Outcome>& outcomes);
  void count(uint64_t nanoseconds, uint64_t multiply_adds);

  const EngineOptions& options_;
  Compute compute_;
  uint32_t head_rows_max_;
  Scheduler scheduler_;
  FalconModel model_;
  EngineReport report_;
  std::unordered_map<uint64_t, std::unique_ptr<Sequence>> sequences_;
  std::vector<Sequence*> in_slot_;                        // [slots]
  std::vector<std::unique_ptr<TokenHistory>> histories_;  // [slots], made on first use
  std::vector<TokenScratch> scratch_;                     // [threads]
  std::vector<uint64_t> cancelled_;
  PassPlan plan_;
  std::vector<int32_t> tokens_;
  std::vector<PassSpan> spans_;
  std::vector<HeadRow> head_rows_;
  std::mutex failure_mutex_;  // a scored prompt has rows on several threads
};

}  // namespace eyrie
