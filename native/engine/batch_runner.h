#pragma once
// Runs sequences through a backend, pass by pass. Single-threaded towards its caller (the host's half of the tokens uses the pool),
// without clock, queue or locks: whoever owns it calls step() as long as there is work.
//
// A pass: the scheduler names the rows; slots are opened and prefixes copied; the backend runs the model (forward) and turns rows of
// logits into tokens (draw); the tokens are fetched (collect) and looked at: text, stop strings, grammars, ends.
//
// With lookahead 1, forward of pass p + 1 is launched before the tokens of pass p are looked at, so that the device works while the
// host does; the masks that grammars put on p + 1 are made in that time too, before its draw. A sequence of which it shows only then
// that it is over has a row in p + 1 for nothing (overrun); ends by length are known ahead and have none. A slot is free again when
// all passes that hold it are collected. With lookahead 0, a pass is collected before the next one is planned.

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/backend.h"
#include "engine/engine_options.h"
#include "engine/outcome.h"
#include "engine/pass.h"
#include "engine/pass_meter.h"
#include "engine/scheduler.h"
#include "engine/sequence.h"
#include "engine/token_news.h"
#include "threads/thread_pool.h"

namespace eyrie {

/// Rows of the largest pass, and rows that get logits at a time.
uint32_t pass_rows_max(uint32_t slots, uint32_t prefill_tokens);
uint32_t head_rows_max(uint32_t slots);

class BatchRunner {
 public:
  /// `options` and `pool` must outlive the runner.
  BatchRunner(const EngineOptions& options, std::unique_ptr<Backend> backend, ThreadPool& pool);

  void add(std::unique_ptr<Sequence> sequence);
  /// The sequence ends with what it has, reported by the next step(). Unknown ids are ignored.
  void cancel(uint64_t id);
  bool has_work() const { return !sequences_.empty() || !passes_.empty(); }
  /// Launches a pass and looks at the tokens of one; appends what ended to `outcomes`, and what watched sequences that go on have
  /// generated to `news`.
  void step(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);
  /// Ends everything with the same failure. The runner is of no use afterwards.
  void fail_all(const Failure& failure, std::vector<Outcome>& outcomes);

  const EngineReport& report() const { return meter_.report(); }
  const Backend& backend() const { return *backend_; }

 private:
  struct Slot {
    Sequence* sequence = nullptr;  // null: none, or it has ended and passes still hold the slot
    uint32_t next_position = 0;    // of its next decode row
    uint32_t passes = 0;           // not collected yet, that have rows of this slot
    uint32_t generated = 0;        // of the sequence that has ended
  };

  void end_cancelled(std::vector<Outcome>& outcomes);
  bool launch();
  void admit(const PassPlan& plan);
  void compose(Pass& pass);
  void add_span(Pass& pass, uint32_t slot, uint32_t first_position, uint32_t rows, uint32_t head_rows, bool generates);
  void draw(Pass& pass, std::vector<Outcome>& outcomes);
  void make_masks(const Pass& pass);
  HeadRow head_row(const WantedRow& wanted) const;
  void finish_oldest(std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);
  void take_results(Pass& pass, std::span<const HeadResult> results);
  void leave(const Pass& pass);
  void conclude(uint32_t slot, std::vector<Outcome>& outcomes, std::vector<TokenNews>& news);
  void end(uint32_t slot, std::vector<Outcome>& outcomes);

  const EngineOptions& options_;
  ThreadPool& pool_;
  std::unique_ptr<Backend> backend_;
  Scheduler scheduler_;
  PassMeter meter_;
  std::unordered_map<uint64_t, std::unique_ptr<Sequence>> sequences_;
  std::vector<Slot> slots_;
  std::vector<std::vector<uint32_t>> masks_;  // [slots], grown on first use
  std::vector<uint64_t> cancelled_;
  std::deque<Pass> passes_;  // launched and not collected, oldest first
  Pass spare_;               // keeps the capacity of a finished one
  uint32_t head_rows_ = 0;   // of the pass that is composed
  std::vector<int32_t> tokens_;
  std::vector<PassSpan> spans_;
  std::vector<HeadRow> asked_;
};

}  // namespace eyrie
