// The ground that the others stand on: copies keep bytes, and a graph does what the same calls do eagerly.

#include <cstring>
#include <string>

#include "gpu/checks/checks.h"
#include "gpu/checks/transfer.h"
#include "gpu/lab/lab_kernels.h"
#include "gpu/random_values.h"

namespace eyrie::gpu {

namespace {

std::vector<uint32_t> random_words(size_t count, uint64_t seed) {
  std::vector<uint32_t> words(count);
  for (size_t i = 0; i < count; ++i) words[i] = mixed(i + seed * 0x9e3779b97f4a7c15ull);
  return words;
}

}  // namespace

/// Pinned memory to the card, from buffer to buffer, and back: the same bytes, for sizes about a page and beyond.
void check_device_copies(const CheckContext& context, Reporter& reporter) {
  for (const size_t words : {size_t{1}, size_t{1023}, size_t{1025}, context.size == CheckSize::small ? size_t{5000} : size_t{1} << 22}) {
    const std::vector<uint32_t> want = random_words(words, context.seed);
    const size_t bytes = words * sizeof(uint32_t);
    cuda::PinnedBuffer pinned = context.device.alloc_pinned(bytes);
    std::memcpy(pinned.data(), want.data(), bytes);
    cuda::DeviceBuffer first = context.device.alloc(bytes), second = context.device.alloc(bytes);
    context.stream.copy_to_device(first.data(), pinned.data(), bytes);
    context.stream.copy_on_device(second.data(), first.data(), bytes);
    reporter.equal<uint32_t>("words=" + std::to_string(words), from_card<uint32_t>(context, second), want);
    context.stream.fill(second.data(), 0x5a, bytes);
    reporter.equal<uint32_t>("fill words=" + std::to_string(words), from_card<uint32_t>(context, second),
                             std::vector<uint32_t>(words, 0x5a5a5a5a));
  }
}

/// A recorded fill and sum, replayed over changed input, equal the same calls made at once.
void check_graph_replay(const CheckContext& context, Reporter& reporter) {
  const int64_t count = context.size == CheckSize::small ? 4096 : 1 << 20;
  cuda::DeviceBuffer values = context.device.alloc(static_cast<size_t>(count) * 2), sum = context.device.alloc(8);
  const auto work = [&] {
    context.stream.fill(sum.data(), 0, 8);
    hash_words(context.stream, values.as<uint32_t>(), count / 2, sum.as<unsigned long long>());
  };
  // Once before: a kernel that has to be loaded first is not sure to be allowed in a capture (cuda/pass/graphs.h).
  work();
  context.stream.begin_capture();
  work();
  const cuda::Graph graph = context.stream.end_capture();
  for (uint64_t seed = context.seed; seed < context.seed + 3; ++seed) {
    fill_values(context.stream, values.data(), count, ValueType::bf16, seed);
    work();
    const std::vector<uint64_t> eager = from_card<uint64_t>(context, sum);
    context.stream.fill(sum.data(), 0xff, 8);
    context.stream.replay(graph);
    reporter.equal<uint64_t>("seed=" + std::to_string(seed), from_card<uint64_t>(context, sum), eager);
  }
}

}  // namespace eyrie::gpu
