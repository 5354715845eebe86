#include "gpu/sweep/decode_sweep.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "error.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

// Graphs are captured and clocks rise in the first steps.
constexpr uint32_t kWarmUpSteps = 4;

void open_slots(Backend& backend, const DecodePlan& plan, const std::vector<uint32_t>& prompt) {
  for (uint32_t slot = 0; slot < plan.rows; ++slot) {
    SamplingParams sampling;
    sampling.temperature = 1;
    sampling.seed = plan.seed;
    sampling.request = slot;
    backend.open_slot(slot, sampling, prompt, decode_positions(plan));
  }
}

void check_room(const BackendInfo& info, const DecodePlan& plan) {
  if (info.kv_page_tokens == 0) return;
  const uint64_t pages = uint64_t{plan.rows} * ((decode_positions(plan) + info.kv_page_tokens - 1) / info.kv_page_tokens);
  if (pages > info.kv_pages) {
    throw Error(ErrorCode::out_of_memory, std::to_string(plan.rows) + " rows of " + std::to_string(decode_positions(plan)) +
                                              " tokens need " + std::to_string(pages) + " pages, the card holds " +
                                              std::to_string(info.kv_pages));
  }
}

void prefill(Backend& backend, const DecodePlan& plan, const std::vector<uint32_t>& prompt) {
  for (uint32_t first = 0; first < plan.context; first += plan.prefill_rows) {
    const uint32_t rows = std::min(plan.prefill_rows, plan.context - first);
    const std::vector<int32_t> tokens(prompt.begin() + first, prompt.begin() + first + rows);
    const PassSpan span{.slot = 0, .first_position = first, .rows = rows, .head_rows = 0};
    backend.forward(tokens, {&span, 1});
    backend.draw({});
    backend.collect();
  }
  for (uint32_t slot = 1; slot < plan.rows; ++slot) backend.copy_prefix(0, slot, plan.context);
}

/// One decode row per slot at `position`.
class Step {
 public:
  explicit Step(uint32_t rows) : tokens_(rows), spans_(rows), heads_(rows) {
    for (uint32_t i = 0; i < rows; ++i) heads_[i] = {.index = i, .slot = i, .draws = true};
  }

  void forward(Backend& backend, uint32_t position, int32_t token) {
    std::fill(tokens_.begin(), tokens_.end(), token);
    for (uint32_t i = 0; i < spans_.size(); ++i) spans_[i] = {.slot = i, .first_position = position, .rows = 1, .head_rows = 1};
    backend.forward(tokens_, spans_);
  }
  void draw(Backend& backend) { backend.draw(heads_); }
  static void collect(Backend& backend) {
    for (const HeadResult& result : backend.collect()) {
      if (result.error != DrawError::none) throw Error(ErrorCode::numeric_error, "a decode step gave logits that are no numbers");
    }
  }

 private:
  std::vector<int32_t> tokens_;
  std::vector<PassSpan> spans_;
  std::vector<HeadRow> heads_;
};

}  // namespace

uint32_t decode_positions(const DecodePlan& plan) { return plan.context + kWarmUpSteps + plan.steps + 1; }

DecodeTimes measure_decode(Backend& backend, const DecodePlan& plan) {
  check_room(backend.info(), plan);
  std::vector<uint32_t> prompt(plan.context);
  for (uint32_t i = 0; i < plan.context; ++i) prompt[i] = mixed(i + plan.seed * 0x9e3779b97f4a7c15ull) % plan.vocab;
  open_slots(backend, plan, prompt);
  prefill(backend, plan, prompt);

  Step step(plan.rows);
  uint32_t position = plan.context;
  step.forward(backend, position++, static_cast<int32_t>(prompt[0]));
  step.draw(backend);
  const auto advance = [&] {
    step.forward(backend, position++, kDrawn);
    Step::collect(backend);
    step.draw(backend);
  };
  for (uint32_t i = 0; i < kWarmUpSteps; ++i) advance();
  const auto started = std::chrono::steady_clock::now();
  for (uint32_t i = 0; i < plan.steps; ++i) advance();
  // The clock starts and stops with one step launched and not yet done.
  const double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
  Step::collect(backend);
  for (uint32_t slot = 0; slot < plan.rows; ++slot) backend.release_pages(slot);
  return {.step_ms = ms / plan.steps, .mean_context = plan.context + kWarmUpSteps + (plan.steps + 1) / 2.0};
}

}  // namespace eyrie::gpu
