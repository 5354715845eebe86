#pragma once
// The checks of the program: each runs an operation on the card and compares it with its twin on the CPU.
//
// To add one: write a function in checks/, declare it in checks/checks.h, and add a line to all_checks() in check_registry.cc.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cuda/device.h"

namespace eyrie::gpu {

/// small: a few rows, for runs under compute-sanitizer or in emulation. brief: what a worker runs before its first job; all of them
/// within 5 s. full: many shapes and seeds.
enum class CheckSize { small, brief, full };

/// How far a value may be from that of the twin: |got - want| <= absolute + relative * |want|.
struct Tolerance {
  double absolute = 0;
  double relative = 0;
};

/// Collects the cases of one check. A case is named by its shape and seed, e.g. "rows=3 width=8192 seed=7".
class Reporter {
 public:
  explicit Reporter(std::string check) : check_(std::move(check)) {}

  /// NaN is near NaN alone. Differing lengths fail.
  void near(std::string_view name, std::span<const float> got, std::span<const float> want, Tolerance tolerance);
  /// The same bytes.
  void equal(std::string_view name, std::span<const uint8_t> got, std::span<const uint8_t> want);
  template <class T>
  void equal(std::string_view name, std::span<const T> got, std::span<const T> want) {
    equal(name, {reinterpret_cast<const uint8_t*>(got.data()), got.size_bytes()},
          {reinterpret_cast<const uint8_t*>(want.data()), want.size_bytes()});
  }
  void expect(std::string_view name, bool holds, std::string_view what);
  /// Runs a part of the check; an Error fails it alone, unless the card is lost.
  void guarded(std::string_view name, const std::function<void()>& part);

  int cases() const { return cases_; }
  int failures() const { return failures_; }
  /// The largest |got - want| / (absolute + relative * |want|) of all near() cases.
  double worst() const { return worst_; }

 private:
  void fail(std::string_view name, const std::string& what);

  std::string check_;
  int cases_ = 0;
  int failures_ = 0;
  double worst_ = 0;
};

struct CheckContext {
  cuda::Device& device;
  cuda::Stream& stream;
  CheckSize size;
  uint64_t seed;
};

struct Check {
  const char* name;
  void (*run)(const CheckContext&, Reporter&);
  /// Whether it belongs to what a worker runs before its first job.
  bool brief;
};

std::span<const Check> all_checks();

}  // namespace eyrie::gpu
