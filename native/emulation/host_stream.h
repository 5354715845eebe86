#pragma once
// Streams, events and captures of the emulated card (cuda/device_host.cc puts them behind device.h).

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace eyrie::emulation {

using Work = std::function<void()>;

class HostStream;

/// Work that is recorded, in the order in which it was given to any of the streams that take part.
struct Capture {
  std::vector<Work> work;
  bool ended = false;
  /// The streams that have joined and must be waited for before the end: how much was recorded at their latest work.
  std::map<const HostStream*, size_t> joined;
};

/// A place in a stream or in what it records.
struct Mark {
  std::shared_ptr<HostStream> stream;  // none: never recorded
  uint64_t position = 0;
  std::shared_ptr<Capture> capture;
  std::chrono::steady_clock::time_point time;  // when the stream passed it

  bool passed() const;
  void synchronize() const;
};

class HostStream : public std::enable_shared_from_this<HostStream> {
 public:
  static std::shared_ptr<HostStream> open();
  ~HostStream();

  void submit(Work work);
  void record(const std::shared_ptr<Mark>& mark);
  void wait(const Mark& mark);
  void synchronize();

  void begin_capture();
  std::vector<Work> end_capture();

  /// Runs what was given before `position`.
  void run_until(uint64_t position);
  uint64_t passed() const { return passed_; }

 private:
  void enqueue(Work work);
  Capture* capturing();

  std::deque<Work> pending_;
  // Atomic: finish_all_streams() of another thread looks at them.
  std::atomic<uint64_t> given_ = 0;
  std::atomic<uint64_t> passed_ = 0;
  std::shared_ptr<Capture> capture_;  // its own or one it has joined
  bool owns_capture_ = false;
  std::exception_ptr error_;  // told by the next synchronize()

  friend void finish_all_streams() noexcept;
};

/// Before memory is given back, which waits on a card as well. Errors are kept for the streams' synchronize().
void finish_all_streams() noexcept;
void synchronize_all_streams();

}  // namespace eyrie::emulation
