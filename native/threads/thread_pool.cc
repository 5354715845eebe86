#include "threads/thread_pool.h"

#include <string>
#include <system_error>

#include "error.h"
#include "threads/cpu_set.h"

namespace eyrie {

namespace {

// About 50 us at some 40 ns a pause: longer than any gap between two ops of a step, far shorter than a time slice.
constexpr int kSpins = 1200;
constexpr int kThreadsMax = 1024;

void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace

ThreadPool::ThreadPool(int threads, bool pin) : size_(threads == 0 ? usable_cpu_count() : threads), cpus_(allowed_cpus()) {
  if (size_ < 1 || size_ > kThreadsMax)
    throw Error(ErrorCode::invalid_request,
                "threads is " + std::to_string(threads) + "; allowed are 0 (= all usable CPUs) to " + std::to_string(kThreadsMax));
  // More threads than CPUs cannot be pinned one to one; the scheduler then does better.
  if (!pin || size_ > static_cast<int>(cpus_.size())) cpus_.clear();
  workers_.reserve(size_ - 1);
  try {
    for (int i = 1; i < size_; ++i) workers_.emplace_back([this, i] { work(i); });
  } catch (const std::system_error& e) {
    stop();
    throw Error(ErrorCode::out_of_memory,
                "cannot start compute thread " + std::to_string(workers_.size() + 1) + " of " + std::to_string(size_) + ": " + e.what());
  }
}

ThreadPool::~ThreadPool() { stop(); }

void ThreadPool::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (std::thread& t : workers_) t.join();
  workers_.clear();
}

void ThreadPool::pin_caller() {
  if (!cpus_.empty()) pin_current_thread(cpus_[0]);
}

void ThreadPool::dispatch(Call call, void* body) {
  if (size_ == 1) return call(body, 0);
  call_ = call;
  body_ = body;
  remaining_.store(static_cast<uint32_t>(size_ - 1), std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_seq_cst);
  // A system call only when someone sleeps. seq_cst on both sides: either we see the sleeper, or it sees the new round.
  if (sleepers_.load(std::memory_order_seq_cst) != 0) round_.notify_all();
  call(body, 0);
  for (int spins = 0; remaining_.load(std::memory_order_acquire) != 0;) {
    if (++spins < kSpins) {
      pause();
    } else {
      std::this_thread::yield();  // a worker lost its CPU: leave ours to whoever needs it
    }
  }
}

void ThreadPool::work(int thread) {
  if (!cpus_.empty()) pin_current_thread(cpus_[thread]);
  for (uint32_t seen = 0;;) {
    int spins = 0;
    while (round_.load(std::memory_order_acquire) == seen) {
      if (++spins < kSpins) {
        pause();
        continue;
      }
      sleepers_.fetch_add(1, std::memory_order_seq_cst);
      round_.wait(seen, std::memory_order_seq_cst);
      sleepers_.fetch_sub(1, std::memory_order_relaxed);
    }
    seen++;
    if (stopping_.load(std::memory_order_relaxed)) return;
    call_(body_, thread);
    remaining_.fetch_sub(1, std::memory_order_release);
  }
}

}  // namespace eyrie
