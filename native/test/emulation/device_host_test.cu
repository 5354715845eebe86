// device.h in emulation: streams, events, graphs, limits.

#include <gtest/gtest.h>

#include <thread>

#include "card.h"
#include "cuda/kernels/launch.h"
#include "emulation/submit.h"
#include "test/support/expect_error.h"

namespace eyrie::cuda {
namespace {

using eyrie::test::expect_error;

__global__ void add(int* value, int amount) { *value += amount; }

/// The work runs when it is given, or as late as a card may run it.
class DeviceHost : public testing::TestWithParam<bool> {
 protected:
  void SetUp() override { emulation::set_late_streams(GetParam()); }
  void TearDown() override { emulation::set_late_streams(false); }
  test::Card card;
};
INSTANTIATE_TEST_SUITE_P(AtOnceAndLate, DeviceHost, testing::Bool(), [](const auto& p) { return p.param ? "late" : "at_once"; });

TEST_P(DeviceHost, CopiesAndFills) {
  const std::vector<int> values{1, 2, 3, 4};
  const DeviceBuffer a = card.put(values), b = card.device.alloc(a.size());
  card.stream.copy_on_device(b.data(), a.data(), a.size());
  card.stream.fill(b.data(), 0, 4);
  EXPECT_EQ(card.get<int>(b), (std::vector<int>{0, 2, 3, 4}));
  EXPECT_EQ(card.get<int>(a), values);
}

TEST_P(DeviceHost, BuffersMoveAndMayBeEmpty) {
  DeviceBuffer a = card.device.alloc(16), empty = card.device.alloc(0);
  EXPECT_EQ(empty.data(), nullptr);
  void* const address = a.data();
  DeviceBuffer b = std::move(a);
  EXPECT_EQ(b.data(), address);
  EXPECT_EQ(a.data(), nullptr);
  a = std::move(b);
  EXPECT_EQ(a.data(), address);
  EXPECT_EQ(a.size(), 16u);
  card.stream.copy_on_device(empty.data(), empty.data(), 0);
  card.stream.synchronize();
}

TEST_P(DeviceHost, AGraphRecordsAndReplays) {
  const DeviceBuffer value = card.put(std::vector<int>{10});
  card.stream.begin_capture();
  EYRIE_LAUNCH(add, 1, 1, 0, card.stream, value.as<int>(), 3);
  EYRIE_LAUNCH(add, 1, 1, 0, card.stream, value.as<int>(), 4);
  const Graph graph = card.stream.end_capture();
  EXPECT_EQ(card.get<int>(value)[0], 10) << "recorded, not run";
  card.stream.replay(graph);
  EXPECT_EQ(card.get<int>(value)[0], 17);
  card.stream.replay(graph);
  card.stream.replay(graph);
  EXPECT_EQ(card.get<int>(value)[0], 31);
}

TEST_P(DeviceHost, AnotherStreamJoinsACapture) {
  const DeviceBuffer a = card.put(std::vector<int>{0}), b = card.put(std::vector<int>{0});
  Stream side(card.device);
  Event forked(card.device), joined(card.device);
  card.stream.begin_capture();
  EYRIE_LAUNCH(add, 1, 1, 0, card.stream, a.as<int>(), 1);
  card.stream.record(forked);
  side.wait(forked);
  EYRIE_LAUNCH(add, 1, 1, 0, side, b.as<int>(), 2);
  side.record(joined);
  card.stream.wait(joined);
  const Graph graph = card.stream.end_capture();
  EXPECT_EQ(card.get<int>(b)[0], 0);
  card.stream.replay(graph);
  EXPECT_EQ(card.get<int>(a)[0], 1);
  EXPECT_EQ(card.get<int>(b)[0], 2);
  EYRIE_LAUNCH(add, 1, 1, 0, side, b.as<int>(), 5);
  side.synchronize();
  EXPECT_EQ(card.get<int>(b)[0], 7) << "free again after the capture";
}

TEST_P(DeviceHost, MisuseOfCapturesIsAnError) {
  expect_error(ErrorCode::internal_error, "end_capture()", [&] { card.stream.end_capture(); });
  expect_error(ErrorCode::internal_error, "empty graph", [&] { card.stream.replay(Graph()); });
  card.stream.begin_capture();
  expect_error(ErrorCode::internal_error, "captures already", [&] { card.stream.begin_capture(); });
  expect_error(ErrorCode::internal_error, "while it captures", [&] { card.stream.synchronize(); });
  card.stream.end_capture();
  card.stream.synchronize();
}

TEST_P(DeviceHost, AJoinedStreamMustComeBack) {
  Stream side(card.device);
  Event forked(card.device);
  card.stream.begin_capture();
  card.stream.record(forked);
  side.wait(forked);
  const DeviceBuffer value = card.device.alloc(4);
  EYRIE_LAUNCH(add, 1, 1, 0, side, value.as<int>(), 1);
  expect_error(ErrorCode::internal_error, "has not come back", [&] { card.stream.end_capture(); });
}

TEST_P(DeviceHost, EventsOrderStreams) {
  Stream other(card.device);
  Event done(card.device), start(card.device);
  EXPECT_TRUE(done.query()) << "never recorded";
  const DeviceBuffer value = card.put(std::vector<int>{1}), copy = card.device.alloc(4);
  card.stream.record(start);
  EYRIE_LAUNCH(add, 1, 1, 0, card.stream, value.as<int>(), 1);
  card.stream.record(done);
  EYRIE_LAUNCH(add, 1, 1, 0, card.stream, value.as<int>(), 100);
  other.wait(done);
  other.copy_on_device(copy.data(), value.data(), 4);
  other.synchronize();
  int got = 0;
  other.copy_to_host(&got, copy.data(), 4);
  other.synchronize();
  EXPECT_EQ(got, GetParam() ? 2 : 102);  // late: just what the event stands for
  EXPECT_TRUE(done.query());
  EXPECT_GE(done.elapsed_since(start).count(), 0.0);
  EXPECT_EQ(card.get<int>(value)[0], 102);
}

TEST_P(DeviceHost, ErrorsOfKernelsReachTheHost) {
  expect_error(ErrorCode::internal_error, "a kernel's", [&] {
    emulation::submit(card.stream, [] { throw Error(ErrorCode::internal_error, "a kernel's"); });
    card.stream.synchronize();
  });
}

TEST_P(DeviceHost, MemoryIsFreedAfterTheWorkThatUsesIt) {
  const DeviceBuffer value = card.put(std::vector<int>{1});
  {
    const DeviceBuffer amount = card.put(std::vector<int>{5});
    card.stream.copy_on_device(value.data(), amount.data(), 4);
  }
  EXPECT_EQ(card.get<int>(value)[0], 5);
}

TEST_P(DeviceHost, MemoryIsLimitedAndCounted) {
  emulation::set_device_bytes(1000);
  {
    const Device small;
    EXPECT_EQ(small.info().total_bytes, 1000u);
    const DeviceBuffer part = small.alloc(600);
    EXPECT_EQ(small.free_bytes(), 400u);
    expect_error(ErrorCode::out_of_memory, "401 bytes", [&] { (void)small.alloc(401); });
    expect_error(ErrorCode::out_of_memory, "400 bytes are free", [&] { (void)small.alloc(401); });
    EXPECT_EQ(small.alloc(400).size(), 400u);
  }
  emulation::set_device_bytes(emulation::kDeviceBytes);
  expect_error(ErrorCode::unsupported_device, "device 1 was asked for", [] { Device device(1); });
}

TEST_P(DeviceHost, ThreadsHaveStreamsOfTheirOwn) {
  const DeviceBuffer value = card.put(std::vector<int>{0, 0});
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      card.device.make_current();
      Stream stream(card.device);
      for (int i = 0; i < 200; ++i) EYRIE_LAUNCH(add, 1, 1, 0, stream, value.as<int>() + t, 1);
      stream.synchronize();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(card.get<int>(value), (std::vector<int>{200, 200}));
}

TEST(LateStreams, HostMemoryMustStayUntilTheCopyIsDone) {
  emulation::set_late_streams(true);
  test::Card card;
  const DeviceBuffer value = card.device.alloc(4);
  Event done(card.device);
  int number = 1;
  card.stream.copy_to_device(value.data(), &number, 4);
  card.stream.record(done);
  number = 2;  // too early
  EXPECT_EQ(card.get<int>(value)[0], 2);
  int read = 0;
  card.stream.copy_to_host(&read, value.data(), 4);
  EXPECT_EQ(read, 0) << "not yet";
  card.stream.synchronize();
  EXPECT_EQ(read, 2);
  emulation::set_late_streams(false);
}

}  // namespace
}  // namespace eyrie::cuda
