#include "threads/thread_pool.h"

#include <gtest/gtest.h>

#include <chrono>
#include <ctime>
#include <numeric>
#include <thread>
#include <vector>

#include "error.h"
#include "threads/cpu_set.h"

namespace eyrie::test {
namespace {

TEST(ThreadPool, RunsEveryThreadOnce) {
  for (int size : {1, 2, 3, 8}) {
    ThreadPool pool(size, false);
    for (int round = 0; round < 200; ++round) {
      std::vector<int> calls(static_cast<size_t>(size));
      pool.run([&](int thread) { calls[static_cast<size_t>(thread)]++; });
      for (int c : calls) ASSERT_EQ(c, 1);
    }
  }
}

TEST(ThreadPool, ParallelForCoversTheRangeOnce) {
  ThreadPool pool(3, false);
  for (int64_t count : {0, 1, 5, 100, 1001}) {
    for (int64_t grain : {1, 7, 2000}) {
      std::vector<int> seen(static_cast<size_t>(count));
      pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
        ASSERT_LE(end - begin, grain);
        ASSERT_LT(thread, pool.size());
        for (int64_t i = begin; i < end; ++i) seen[static_cast<size_t>(i)]++;
      });
      for (int s : seen) ASSERT_EQ(s, 1) << count << " by " << grain;
    }
  }
}

TEST(ThreadPool, WakesSleepersAndSeesTheirWrites) {
  ThreadPool pool(2, false);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the worker has stopped spinning by now
    std::vector<int64_t> sums(2);
    pool.run([&](int thread) { sums[static_cast<size_t>(thread)] = round; });
    ASSERT_EQ(std::accumulate(sums.begin(), sums.end(), int64_t{0}), 2 * round);
  }
}

TEST(ThreadPool, IdleUsesNoCpu) {
  ThreadPool pool(2, false);
  pool.run([](int) {});
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const std::clock_t before = std::clock();  // of the whole process
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  EXPECT_LT(static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC, 0.05);
}

TEST(ThreadPool, RefusesNonsense) {
  EXPECT_THROW(ThreadPool(-1), Error);
  EXPECT_THROW(ThreadPool(5000), Error);
}

TEST(CpuSet, PoolDefaultsToWhatTheProcessMayUse) {
  EXPECT_GE(usable_cpu_count(), 1);
  EXPECT_LE(usable_cpu_count(), static_cast<int>(allowed_cpus().size()));
  EXPECT_EQ(ThreadPool(0).size(), usable_cpu_count());
}

TEST(CpuSet, PinningRestrictsTheThread) {
  const int cpu = allowed_cpus().front();
  std::thread([cpu] {
    if (!pin_current_thread(cpu)) GTEST_SKIP() << "the system refuses to pin threads";
    EXPECT_EQ(allowed_cpus(), std::vector<int>{cpu});
  }).join();
}

}  // namespace
}  // namespace eyrie::test
