#pragma once
// One block at a time: its threads, their fibers, and who goes on next. One BlockRun per host thread, kept for its stacks.

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "emulation/async_copies.h"
#include "emulation/fiber.h"
#include "emulation/run_grid.h"
#include "emulation/settings.h"
#include "emulation/warp.h"

namespace eyrie::emulation {

class BlockRun {
 public:
  /// That of the calling host thread.
  static BlockRun& of_this_thread();
  /// That of the kernel that runs on this host thread.
  static BlockRun& current() { return *current_; }

  void run(const char* name, const GridShape& shape, void (*body)(void*), void* argument);

  // What a thread of the block calls. `running` tells whether there is one.
  bool running() const { return thread_ != kNobody; }
  unsigned lane() const { return thread_ % 32; }
  Warp& warp() { return warps_[thread_ / 32]; }
  AsyncCopies& copies() { return copies_[thread_]; }
  char* shared() const { return shared_.get(); }
  size_t shared_size() const { return shape_.shared_bytes; }

  void sync_threads(const Site& site);
  void may_switch();
  /// `finish(warp)` runs once, when the last lane of the mask has arrived; nobody else runs meanwhile.
  template <class Finish>
  void collective(Collective kind, uint32_t mask, const Site& site, Finish finish) {
    Warp& mine = warp();
    const uint32_t self = 1u << lane();
    if (mine.arrive(kind, mask, lane(), site)) {
      finish(mine);
      mine.ready |= mask & ~self;
    } else {
      wait();
    }
  }
  [[noreturn]] void fail(const std::string& what);

 private:
  static constexpr unsigned kNobody = ~0u;
  static constinit thread_local BlockRun* current_;

  void run_block();
  static void start_work(void* self);
  void work();
  void end_thread();
  void wait();        // the running thread may not go on; returns when it may
  unsigned choose();  // the next thread, kNobody when none may go on
  void make_current(unsigned thread);
  void leave_for(unsigned thread);
  void go_to(unsigned fiber);
  void release_barrier();
  void stop(std::exception_ptr error);
  std::string describe_deadlock() const;
  std::string place() const;

  // The launch.
  const char* name_ = "";
  GridShape shape_;
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  std::unique_ptr<char, void (*)(void*)> shared_{nullptr, nullptr};
  std::exception_ptr error_;

  // The block.
  Order order_{0};
  bool stays_in_warp_ = false;
  unsigned threads_ = 0;
  unsigned live_ = 0;
  unsigned thread_ = kNobody;
  unsigned at_barrier_ = 0;
  Site barrier_site_;
  std::vector<Warp> warps_;
  std::vector<uint3> index_;         // threadIdx by thread
  std::vector<AsyncCopies> copies_;  // by thread
  std::vector<unsigned> fiber_of_;   // by thread

  // The fibers. A free one stands at the end of a thread in work().
  Fiber host_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<unsigned> free_fibers_;
  unsigned fiber_ = kNobody;  // that which runs, kNobody: the host's stack
};

}  // namespace eyrie::emulation
