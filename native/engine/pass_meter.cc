#include "engine/pass_meter.h"

#include <algorithm>

namespace eyrie {

void PassMeter::count(const Pass& pass) {
  const auto now = std::chrono::steady_clock::now();
  const auto elapsed = now - std::max(pass.begun, finished_);
  finished_ = now;
  const auto nanoseconds = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(elapsed).count());
  if (pass.plan.prefill.empty()) {
    report_.decode_nanoseconds += nanoseconds;
    report_.decode_multiply_adds += pass.multiply_adds;
    ++report_.decode_only_steps;
  } else {
    report_.prefill_nanoseconds += nanoseconds;
    report_.prefill_multiply_adds += pass.multiply_adds;
    ++report_.prefill_packs;
  }
  report_.prompt_tokens += pass.prompt_tokens;
  report_.generated_tokens += pass.generated_tokens;
  if (!pass.plan.decode_slots.empty()) {
    ++report_.decode_steps;
    report_.idle_slot_steps += pass.plan.decode_shape_rows - pass.plan.token_rows();
  }
}

}  // namespace eyrie
