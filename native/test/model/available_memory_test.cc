#include "model/available_memory.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "cpu/backend/memory_plan.h"
#include "test/support/expect_error.h"
#include "test/support/temporary_file.h"
#include "test/support/tiny_checkpoint.h"

namespace eyrie::test {
namespace {

class FakeSystem : public TemporaryFolder {
 public:
  void set(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(path() + "/" + name).parent_path());
    write(name, content);
  }
};

TEST(AvailableMemory, IsWhatTheMachineHasWithoutGroups) {
  const FakeSystem system;
  EXPECT_EQ(available_memory_below(system.path()), UINT64_MAX);
  system.set("proc/meminfo", "MemTotal: 9000 kB\nMemFree: 10 kB\nMemAvailable:    4000 kB\n");
  EXPECT_EQ(available_memory_below(system.path()), 4000u * 1024);
}

TEST(AvailableMemory, IsBoundByTheTightestGroupOnThePath) {
  const FakeSystem system;
  system.set("proc/meminfo", "MemAvailable: 4000 kB\n");
  system.set("proc/self/cgroup", "0::/a/b\n");
  system.set("sys/fs/cgroup/a/b/memory.max", "max\n");
  system.set("sys/fs/cgroup/a/b/memory.current", "5\n");
  EXPECT_EQ(available_memory_below(system.path()), 4000u * 1024);
  system.set("sys/fs/cgroup/a/memory.max", "1000\n");
  system.set("sys/fs/cgroup/a/memory.current", "700\n");
  EXPECT_EQ(available_memory_below(system.path()), 300u);
  system.set("sys/fs/cgroup/a/memory.stat", "anon 400\ninactive_file 250\n");
  EXPECT_EQ(available_memory_below(system.path()), 550u);
  system.set("sys/fs/cgroup/a/memory.current", "1300\n");
  EXPECT_EQ(available_memory_below(system.path()), 0u);
}

TEST(AvailableMemory, UnderstandsVersionOne) {
  const FakeSystem system;
  system.set("proc/self/cgroup", "5:devices:/x\n4:memory:/job/1\n0::/\n");
  system.set("sys/fs/cgroup/memory/job/1/memory.limit_in_bytes", "900");
  system.set("sys/fs/cgroup/memory/job/1/memory.usage_in_bytes", "500");
  system.set("sys/fs/cgroup/memory/job/1/memory.stat", "inactive_file 7\ntotal_inactive_file 100\n");
  EXPECT_EQ(available_memory_below(system.path()), 500u);
}

TEST(AvailableMemory, IsKnownHere) { EXPECT_GT(available_memory(), 0u); }

TEST(MemoryPlan, CountsThe40BModel) {
  FalconConfig config;
  config.layers = 60;
  config.hidden_size = 8192;
  config.query_heads = 128;
  config.kv_heads = 8;
  config.head_dim = 64;
  config.ffn_size = 32768;
  config.vocab_size = 65024;
  config.context_tokens = 2048;
  const MemoryPlan plan = plan_memory(config, DType::bfloat16, 32, 2048, 2080, 64);
  // 41,301,311,488 matrix weights of two bytes; 2 x 60 x 32 x 2,048 x 8 x 64 x 2 bytes of cache.
  EXPECT_EQ(plan.weights, 2u * (65024ull * 8192 + 60ull * (9216ull * 8192 + 8192ull * 8192 + 2ull * 32768 * 8192)));
  EXPECT_EQ(plan.kv_cache, 8'053'063'680u);
  expect_error(ErrorCode::out_of_memory, "weights 76.9 GiB", [&] { check_memory(plan, plan.total() - 1); });
  check_memory(plan, plan.total());
}

}  // namespace
}  // namespace eyrie::test
