#pragma once
#include <chrono>

#include "engine/engine_options.h"
#include "engine/pass.h"

namespace eyrie {

/// Sums up what passes computed and how long they took. Passes that overlap share the time: each counts from when the one before
/// was finished.
class PassMeter {
 public:
  /// `pass` is finished now.
  void count(const Pass& pass);
  /// A token was computed of a sequence that was over.
  void count_overrun() { ++report_.overrun_tokens; }
  const EngineReport& report() const { return report_; }

 private:
  EngineReport report_;
  std::chrono::steady_clock::time_point finished_;
};

}  // namespace eyrie
