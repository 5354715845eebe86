#pragma once
// The compute threads of one engine. The caller works along as thread 0, so a pool of size 1 has no thread of its own.
//
// An op splits its work over rows or columns that do not depend on each other: who computes what, and in which order,
// never changes a result. That is why parallel_for may hand out work dynamically, which on a shared machine is worth
// more than a fixed split: a thread that was interrupted just takes fewer pieces.
//
// Between two jobs of one step a worker spins for some microseconds, since the next job is near; after that it sleeps
// in the kernel, so an idle engine uses no CPU.

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace eyrie {

class ThreadPool {
 public:
  /// `threads` >= 1, the caller included; 0 = usable_cpu_count(). With `pin`, worker i stays on the i-th allowed CPU;
  /// the caller stays unpinned unless it calls pin_caller(). Throws invalid_request above 1024 threads, out_of_memory
  /// where a thread cannot be started.
  explicit ThreadPool(int threads, bool pin = true);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return size_; }

  /// Pins the calling thread to the CPU of thread 0. Call it once, on the thread that will call run().
  void pin_caller();

  /// Calls body(thread) on every thread, thread in [0, size()), and returns when all are done.
  /// One caller at a time; body must not throw and must not call the pool.
  template <class Body>
  void run(Body&& body) {
    using B = std::remove_reference_t<Body>;
    dispatch([](void* b, int thread) { (*static_cast<B*>(b))(thread); }, const_cast<void*>(static_cast<const void*>(&body)));
  }

  /// Calls body(begin, end, thread) over pieces of [0, count) of at most `grain` items, handed out in ascending order.
  /// Same rules as run(). A single piece runs on the caller without waking anyone.
  template <class Body>
  void parallel_for(int64_t count, int64_t grain, Body&& body) {
    if (count <= 0) return;
    if (count <= grain || size_ == 1) {
      for (int64_t i = 0; i < count; i += grain) body(i, i + grain < count ? i + grain : count, 0);
      return;
    }
    std::atomic<int64_t> next{0};
    run([&](int thread) {
      for (int64_t i; (i = next.fetch_add(grain, std::memory_order_relaxed)) < count;)
        body(i, i + grain < count ? i + grain : count, thread);
    });
  }

 private:
  using Call = void (*)(void*, int);
  void dispatch(Call call, void* body);
  void work(int thread);
  void stop();

  int size_;
  std::vector<int> cpus_;
  std::vector<std::thread> workers_;
  Call call_ = nullptr;
  void* body_ = nullptr;
  // On lines of their own, so that spinning on one does not slow the writers of another.
  alignas(64) std::atomic<uint32_t> round_{0};
  alignas(64) std::atomic<uint32_t> remaining_{0};
  alignas(64) std::atomic<uint32_t> sleepers_{0};
  alignas(64) std::atomic<bool> stopping_{false};
};

}  // namespace eyrie
