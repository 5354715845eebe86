#include "emulation/block_run.h"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <numeric>
#include <utility>

#include "error.h"

constinit thread_local uint3 threadIdx{};
constinit thread_local uint3 blockIdx{};
constinit thread_local uint3 blockDim{};
constinit thread_local uint3 gridDim{};

namespace eyrie::emulation {

namespace {

std::string text_of(const uint3& v) {
  char text[40];
  std::snprintf(text, sizeof text, "(%u, %u, %u)", v.x, v.y, v.z);
  return text;
}

uint3 triple(const dim3& v) { return {v.x, v.y, v.z}; }

/// One of the bits that are set, anywhere.
unsigned some_bit(uint32_t bits, unsigned turn) {
  turn &= 31;
  return (static_cast<unsigned>(std::countr_zero(std::rotr(bits, static_cast<int>(turn)))) + turn) & 31;
}

}  // namespace

void check_shape(const char* name, const GridShape& shape) {
  const uint64_t threads = uint64_t{shape.block.x} * shape.block.y * shape.block.z;
  std::string wrong;
  if (threads == 0 || threads > kMaxThreadsPerBlock || shape.block.z > 64) {
    wrong = "a block of " + text_of(triple(shape.block)) + " threads; allowed are 1 to 1024, at most 64 in z";
  } else if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0 || shape.grid.x > 0x7fffffffu || shape.grid.y > 65535 ||
             shape.grid.z > 65535) {
    wrong = "a grid of " + text_of(triple(shape.grid)) + " blocks; allowed are 1 to 2^31-1 in x and 1 to 65535 in y and z";
  } else if (shape.shared_bytes > kMaxSharedBytes) {
    wrong = std::to_string(shape.shared_bytes) + " bytes of shared memory; allowed are " + std::to_string(kMaxSharedBytes);
  }
  if (!wrong.empty()) throw Error(ErrorCode::invalid_request, std::string("kernel ") + name + ": " + wrong);
}

constinit thread_local BlockRun* BlockRun::current_ = nullptr;

BlockRun& BlockRun::of_this_thread() {
  thread_local BlockRun run;
  return run;
}

void BlockRun::run(const char* name, const GridShape& shape, void (*body)(void*), void* argument) {
  if (running()) throw Error(ErrorCode::internal_error, "a kernel cannot launch another one here");
  current_ = this;
  name_ = name;
  shape_ = shape;
  body_ = body;
  argument_ = argument;
  threads_ = shape.block.x * shape.block.y * shape.block.z;
  // Exactly the size asked for, so that AddressSanitizer sees the first byte behind it.
  void* shared = nullptr;
  if (shape.shared_bytes > 0 && posix_memalign(&shared, 128, shape.shared_bytes) != 0) {
    throw Error(ErrorCode::out_of_memory, "no room for emulated shared memory (" + std::to_string(shape.shared_bytes) + " bytes)");
  }
  shared_ = {static_cast<char*>(shared), std::free};

  warps_.resize((threads_ + 31) / 32);
  index_.resize(threads_);
  fiber_of_.resize(threads_);
  if (copies_.size() < threads_) copies_.resize(threads_);
  unsigned thread = 0;
  for (unsigned z = 0; z < shape.block.z; ++z) {
    for (unsigned y = 0; y < shape.block.y; ++y) {
      for (unsigned x = 0; x < shape.block.x; ++x) index_[thread++] = {x, y, z};
    }
  }
  blockDim = triple(shape.block);
  gridDim = triple(shape.grid);

  const uint64_t seed = next_launch_seed();
  const uint64_t blocks = uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z;
  // first + i * step runs over all blocks once where the step and their number have no common divisor.
  Order order(seed);
  const uint64_t first = order.next() % blocks;
  uint64_t step = order.next() % blocks;
  while (std::gcd(step, blocks) != 1) ++step;
  error_ = nullptr;
  for (uint64_t i = 0; i < blocks && !error_; ++i) {
    const uint64_t block = static_cast<uint64_t>((static_cast<unsigned __int128>(step) * i + first) % blocks);
    blockIdx = {static_cast<unsigned>(block % shape.grid.x), static_cast<unsigned>(block / shape.grid.x % shape.grid.y),
                static_cast<unsigned>(block / shape.grid.x / shape.grid.y)};
    order_ = Order(seed ^ (block + 1) * 0x2545f4914f6cdd1du);
    run_block();
  }
  shared_.reset();
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void BlockRun::run_block() {
  for (unsigned w = 0; w < warps_.size(); ++w) {
    const unsigned lanes = std::min(32u, threads_ - w * 32);
    Warp& warp = warps_[w];
    warp.live = warp.ready = lanes == 32 ? ~0u : (1u << lanes) - 1;
    warp.started = 0;
    warp.group_count = 0;
  }
  for (unsigned t = 0; t < threads_; ++t) copies_[t].clear();
  if (shape_.shared_bytes > 0) std::memset(shared_.get(), 0xff, shape_.shared_bytes);
  live_ = threads_;
  at_barrier_ = 0;
  // Half of the blocks let one warp run as far ahead as it can, the others change warps as often as they can.
  stays_in_warp_ = order_.below(2) == 0;
  thread_ = order_.below(threads_);
  leave_for(choose());
  // Back: all threads have ended, or error_ says why not.
  if (error_) {
    free_fibers_.clear();
    for (unsigned f = 0; f < fibers_.size(); ++f) {
      fibers_[f]->reset();
      free_fibers_.push_back(f);
    }
  }
  thread_ = kNobody;
}

void BlockRun::start_work(void* self) { static_cast<BlockRun*>(self)->work(); }

/// Runs thread after thread on one stack, as long as these do not wait.
void BlockRun::work() {
  for (;;) {
    try {
      body_(argument_);
      end_thread();
    } catch (...) {
      stop(std::current_exception());
    }
    const unsigned next = choose();
    if (next == kNobody) {
      if (live_ > 0) {
        try {
          fail(describe_deadlock());
        } catch (...) {
          error_ = std::current_exception();
        }
      }
      free_fibers_.push_back(fiber_);
      go_to(kNobody);
    } else if ((warps_[next / 32].started >> (next % 32) & 1) == 0) {
      warps_[next / 32].started |= 1u << (next % 32);
      fiber_of_[next] = fiber_;
      make_current(next);
    } else {
      free_fibers_.push_back(fiber_);
      make_current(next);
      go_to(fiber_of_[next]);
    }
  }
}

void BlockRun::end_thread() {
  Warp& mine = warp();
  const uint32_t self = 1u << lane();
  mine.live &= ~self;
  --live_;
  for (int i = 0; i < mine.group_count; ++i) {
    if ((mine.groups[i].mask & self) != 0) fail(mine.missing(mine.groups[i]));
  }
  if (at_barrier_ > 0 && at_barrier_ == live_) release_barrier();
}

void BlockRun::sync_threads(const Site& site) {
  if (at_barrier_ > 0 && !same_site(site, barrier_site_)) {
    fail("divergent barriers: threads wait at __syncthreads at " + text_of(barrier_site_) + ", this one has come to that at " +
         text_of(site));
  }
  barrier_site_ = site;
  if (++at_barrier_ == live_) {
    release_barrier();
    // The last one is chosen like all others, or it would always be the first to go on.
    may_switch();
  } else {
    wait();
  }
}

void BlockRun::release_barrier() {
  at_barrier_ = 0;
  for (Warp& warp : warps_) warp.ready = warp.live;
  // Those that wait in a collective have not come to the barrier: then at_barrier_ could not have been live_.
  if (thread_ != kNobody) warp().ready &= ~(1u << lane());
}

void BlockRun::may_switch() {
  warp().ready |= 1u << lane();
  const unsigned next = choose();
  if (next != thread_) leave_for(next);
}

void BlockRun::wait() {
  const unsigned next = choose();
  if (next == kNobody) fail(describe_deadlock());
  leave_for(next);
}

unsigned BlockRun::choose() {
  const uint64_t random = order_.next();
  const unsigned count = static_cast<unsigned>(warps_.size());
  unsigned w = thread_ / 32;
  if (!stays_in_warp_ || warps_[w].ready == 0) {
    w = static_cast<unsigned>(((random >> 32) * count) >> 32);
    unsigned looked = 0;
    while (warps_[w].ready == 0) {
      if (++looked == count) return kNobody;
      w = w + 1 == count ? 0 : w + 1;
    }
  }
  const unsigned lane = some_bit(warps_[w].ready, static_cast<unsigned>(random));
  warps_[w].ready &= ~(1u << lane);
  return w * 32 + lane;
}

void BlockRun::make_current(unsigned thread) {
  thread_ = thread;
  threadIdx = index_[thread];
}

/// From the running stack to that of `thread`, which was chosen; back when the running thread is chosen again.
void BlockRun::leave_for(unsigned thread) {
  Warp& other = warps_[thread / 32];
  make_current(thread);
  if ((other.started >> (thread % 32) & 1) == 0) {
    other.started |= 1u << (thread % 32);
    if (free_fibers_.empty()) {
      const unsigned number = static_cast<unsigned>(fibers_.size());
      fibers_.push_back(std::make_unique<Fiber>(&BlockRun::start_work, this, number));
      free_fibers_.push_back(number);
    }
    fiber_of_[thread] = free_fibers_.back();
    free_fibers_.pop_back();
  }
  go_to(fiber_of_[thread]);
}

void BlockRun::go_to(unsigned fiber) {
  Fiber& from = fiber_ == kNobody ? host_ : *fibers_[fiber_];
  fiber_ = fiber;
  Fiber::switch_to(from, fiber == kNobody ? host_ : *fibers_[fiber]);
}

/// Gives up the launch: the other fibers are never gone on with.
void BlockRun::stop(std::exception_ptr error) {
  error_ = error;
  live_ = 0;
  for (Warp& warp : warps_) warp.ready = 0;
}

void BlockRun::fail(const std::string& what) {
  throw Error(ErrorCode::internal_error, "kernel " + std::string(name_) + ", " + place() + ": " + what);
}

std::string BlockRun::place() const {
  return "block " + text_of(blockIdx) + ", thread " + text_of(threadIdx) + ", seed " + std::to_string(seed());
}

std::string BlockRun::describe_deadlock() const {
  std::string text = "no thread can go on";
  if (at_barrier_ > 0) {
    text += "; " + std::to_string(at_barrier_) + " of " + std::to_string(live_) + " live threads wait at __syncthreads at " +
            emulation::text_of(barrier_site_);
  }
  for (size_t w = 0; w < warps_.size(); ++w) {
    if (warps_[w].group_count > 0) text += "; warp " + std::to_string(w) + ": " + warps_[w].describe();
  }
  return text;
}

void run_grid(const char* name, const GridShape& shape, void (*body)(void*), void* argument) {
  BlockRun::of_this_thread().run(name, shape, body, argument);
}

}  // namespace eyrie::emulation
