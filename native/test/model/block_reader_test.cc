// The ring: ranges come in their order whatever the number of readers, blocks are not overwritten too early, failures come where they
// belong.

#include "model/block_reader.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <set>

#include "error.h"
#include "test/support/expect_error.h"
#include "test/support/tiny_checkpoint.h"

namespace eyrie::test {
namespace {

constexpr uint64_t kRangeBytes = 64;
constexpr uint64_t kRanges = 100;

class Ring : public testing::TestWithParam<int> {
 protected:
  Ring() {
    FloatTensor tensor{{kRanges * kRangeBytes / 4}, std::vector<float>(kRanges * kRangeBytes / 4)};
    for (size_t i = 0; i < tensor.values.size(); ++i) tensor.values[i] = static_cast<float>(i);
    folder_.write("model.safetensors", safetensors_bytes({{"x", tensor}}));
    checkpoint_ = std::make_unique<Checkpoint>(Checkpoint::open(folder_.path()));
  }

  std::vector<BlockRange> ranges() const {
    std::vector<BlockRange> ranges;
    for (uint64_t i = 0; i < kRanges; ++i) ranges.push_back({&checkpoint_->tensors().front(), i * kRangeBytes, kRangeBytes});
    return ranges;
  }
  BlockRing ring(std::function<void(const std::byte*)> wait_read = {}) { return {memory_, kRangeBytes, GetParam(), std::move(wait_read)}; }

  TemporaryFolder folder_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::vector<std::byte> memory_ = std::vector<std::byte>(kRangeBytes * 6);
};

void expect_range(std::span<const std::byte> bytes, uint64_t index) {
  ASSERT_EQ(bytes.size(), kRangeBytes);
  float first = 0;
  std::memcpy(&first, bytes.data(), sizeof first);
  EXPECT_EQ(first, static_cast<float>(index * kRangeBytes / 4));
}

TEST_P(Ring, HandsRangesOverInTheirOrder) {
  BlockReader reader(*checkpoint_, ranges(), ring());
  for (uint64_t i = 0; i < kRanges; ++i) expect_range(reader.next(), i);
}

TEST_P(Ring, WaitsForABlockBeforeItIsOverwritten) {
  // The caller "starts" something with each block, which ends when it is waited for: until then the block must hold its range.
  std::vector<std::atomic<int64_t>> started(6);
  for (auto& range : started) range = -1;
  std::atomic<int> too_early{0};
  const auto slot = [&](const std::byte* block) { return static_cast<size_t>(block - memory_.data()) / kRangeBytes; };
  BlockReader reader(*checkpoint_, ranges(), ring([&](const std::byte* block) {
    const int64_t index = started[slot(block)].exchange(-1);
    float first = 0;
    std::memcpy(&first, block, sizeof first);
    if (index < 0 || first != static_cast<float>(static_cast<uint64_t>(index) * kRangeBytes / 4)) ++too_early;
  }));
  for (uint64_t i = 0; i < kRanges; ++i) {
    const std::span<const std::byte> bytes = reader.next();
    expect_range(bytes, i);
    started[slot(bytes.data())] = static_cast<int64_t>(i);
  }
  EXPECT_EQ(too_early, 0);
}

TEST_P(Ring, FailsAtTheRangeThatCannotBeRead) {
  std::vector<BlockRange> all = ranges();
  for (const size_t bad : {41, 43, 60}) all[bad].offset = kRanges * kRangeBytes;
  BlockReader reader(*checkpoint_, std::move(all), ring());
  for (uint64_t i = 0; i < 41; ++i) expect_range(reader.next(), i);
  expect_error(ErrorCode::internal_error, "outside tensor", [&] { reader.next(); });
  expect_error(ErrorCode::internal_error, "outside tensor", [&] { reader.next(); });
}

TEST_P(Ring, FailsWithWhatWaitingThrew) {
  BlockReader reader(*checkpoint_, ranges(), ring([](const std::byte*) { throw Error(ErrorCode::internal_error, "lost card"); }));
  expect_error(ErrorCode::internal_error, "lost card", [&] {
    for (uint64_t i = 0; i < kRanges; ++i) reader.next();
  });
}

TEST_P(Ring, MayBeGivenUpAtAnyTime) {
  for (uint64_t taken = 0; taken < 10; ++taken) {
    BlockReader reader(*checkpoint_, ranges(), ring());
    for (uint64_t i = 0; i < taken; ++i) reader.next();
  }
  const BlockReader nothing(*checkpoint_, {}, ring());
}

INSTANTIATE_TEST_SUITE_P(Readers, Ring, testing::Values(1, 2, 5, 20));

}  // namespace
}  // namespace eyrie::test
