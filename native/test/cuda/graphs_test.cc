// Which passes are launched, which are captured, and which are only replayed.

#include "cuda/pass/graphs.h"

#include <gtest/gtest.h>

#include "error.h"

namespace eyrie::test {
namespace {

using cuda::PassShape;

PassShape decode_shape(int rows) {
  PassShape shape;
  shape.rows = shape.head_rows = shape.single_rows = rows;
  shape.splits_max = 1;
  shape.decode_only = true;
  return shape;
}

class GraphsTest : public testing::Test {
 protected:
  /// Counts what the card does, and how often the pass was asked for its launches.
  void run(const PassShape& shape, bool enabled = true) {
    graphs_.run(stream_, shape, enabled, [this] {
      ++passes_;
      if (fails_) throw Error(ErrorCode::internal_error, "a launch was refused");
      stream_.copy_on_device(bytes_.as<uint8_t>() + 1, bytes_.data(), 1);
    });
  }

  cuda::Device device_;
  cuda::Stream stream_{device_};
  cuda::DeviceBuffer bytes_ = device_.alloc(2);
  cuda::DecodeGraphs graphs_;
  int passes_ = 0;
  bool fails_ = false;
};

TEST_F(GraphsTest, AShapeIsLaunchedThenCapturedThenReplayed) {
  const int wanted[] = {1, 2, 2, 2};
  for (int round = 0; round < 4; ++round) {
    stream_.fill(bytes_.data(), static_cast<uint8_t>(round), 1);
    run(decode_shape(4));
    EXPECT_EQ(passes_, wanted[round]) << round;
    uint8_t seen[2];
    stream_.copy_to_host(seen, bytes_.data(), 2);
    stream_.synchronize();
    EXPECT_EQ(seen[1], round);
  }
  run(decode_shape(8));
  EXPECT_EQ(passes_, 3);
  EXPECT_EQ(graphs_.size(), 2u);
}

TEST_F(GraphsTest, OtherPassesAreLaunchedEachTime) {
  PassShape prompt = decode_shape(4);
  prompt.decode_only = false;
  for (int round = 0; round < 3; ++round) {
    run(prompt);
    run(decode_shape(4), false);
  }
  EXPECT_EQ(passes_, 6);
  EXPECT_EQ(graphs_.size(), 0u);
}

TEST_F(GraphsTest, ACaptureThatFailedIsTriedAgain) {
  run(decode_shape(4));
  fails_ = true;
  EXPECT_THROW(run(decode_shape(4)), Error);
  fails_ = false;
  run(decode_shape(4));
  run(decode_shape(4));
  EXPECT_EQ(passes_, 3);
}

TEST_F(GraphsTest, TheShapeThatWasNotUsedForLongestMakesRoom) {
  const auto most = static_cast<int>(cuda::DecodeGraphs::kGraphsMax);
  for (int rows = 1; rows <= most; ++rows) run(decode_shape(rows));
  run(decode_shape(1));  // captured
  run(decode_shape(most + 1));
  EXPECT_EQ(graphs_.size(), cuda::DecodeGraphs::kGraphsMax);
  passes_ = 0;
  run(decode_shape(1));
  EXPECT_EQ(passes_, 0);  // kept
  run(decode_shape(2));
  run(decode_shape(2));
  run(decode_shape(2));
  EXPECT_EQ(passes_, 2);  // was given up: launched and captured anew
}

}  // namespace
}  // namespace eyrie::test
