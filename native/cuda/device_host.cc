// device.h for the emulation: device memory is heap memory of exactly the size asked for, so that AddressSanitizer sees what passes its
// end, and full of 0xFF bytes, so that what was never written shows as NaN. Work runs at once; a capture records it and replay runs it.

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "emulation/settings.h"
#include "emulation/submit.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

using Work = std::vector<std::function<void()>>;

struct Capture {
  Work work;
  bool ended = false;
};

struct HostStream {
  std::shared_ptr<Capture> capture;  // of its own or joined
  bool owns_capture = false;

  Capture* capturing() {
    if (capture && capture->ended) capture = nullptr;
    return capture.get();
  }
};

struct HostEvent {
  std::chrono::steady_clock::time_point time;
  std::shared_ptr<Capture> capture;
};

struct HostGraph {
  Work work;
};

HostStream& stream_of(const Stream& stream) { return *static_cast<HostStream*>(stream.native()); }
HostEvent& event_of(const Event& event) { return *static_cast<HostEvent*>(event.native()); }

void* allocate(size_t bytes) {
  void* data = nullptr;
  if (posix_memalign(&data, 256, bytes) != 0) {
    throw Error(ErrorCode::out_of_memory, "the emulated device cannot give " + std::to_string(bytes) + " bytes");
  }
  std::memset(data, 0xff, bytes);
  return data;
}

}  // namespace

DeviceBuffer::~DeviceBuffer() { std::free(data_); }
PinnedBuffer::~PinnedBuffer() { std::free(data_); }

int Device::count() { return 1; }

Device::Device(int ordinal, bool poison) : poison_(poison) {
  if (ordinal < 0 || ordinal >= count()) {
    throw Error(ErrorCode::unsupported_device, "device " + std::to_string(ordinal) + " was asked for, there is only device 0 (emulated)");
  }
  info_ = DeviceInfo{.name = "emulation",
                     .ordinal = ordinal,
                     .major = 9,
                     .minor = 0,
                     .sm_count = 4,
                     .total_bytes = size_t{4} << 30,
                     .free_bytes = size_t{4} << 30,
                     .shared_bytes_per_block = emulation::kMaxSharedBytes,
                     .l2_bytes = size_t{1} << 20};
}

size_t Device::free_bytes() const { return info_.total_bytes; }
void Device::make_current() const {}
void Device::synchronize() const {}

DeviceBuffer Device::alloc(size_t bytes) const {
  DeviceBuffer buffer;
  if (bytes > 0) buffer.data_ = allocate(bytes);
  buffer.size_ = bytes;
  return buffer;
}

PinnedBuffer Device::alloc_pinned(size_t bytes) const {
  PinnedBuffer buffer;
  if (bytes > 0) buffer.data_ = allocate(bytes);
  buffer.size_ = bytes;
  return buffer;
}

Event::Event(const Device&) : handle_(new HostEvent) {}
Event::~Event() { delete static_cast<HostEvent*>(handle_); }
bool Event::query() const { return true; }
void Event::synchronize() const {}
std::chrono::duration<double, std::milli> Event::elapsed_since(const Event& earlier) const {
  return event_of(*this).time - event_of(earlier).time;
}

Graph::~Graph() { delete static_cast<HostGraph*>(handle_); }

Stream::Stream(const Device&) : handle_(new HostStream) {}
Stream::~Stream() { delete static_cast<HostStream*>(handle_); }

void Stream::copy_to_device(void* to, const void* from, size_t bytes) {
  emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::copy_to_host(void* to, const void* from, size_t bytes) {
  emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::copy_on_device(void* to, const void* from, size_t bytes) {
  emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::fill(void* to, uint8_t value, size_t bytes) {
  emulation::submit(*this, [=] { std::memset(to, value, bytes); });
}

void Stream::record(Event& event) {
  HostStream& stream = stream_of(*this);
  HostEvent& mark = event_of(event);
  mark.capture = stream.capturing() != nullptr ? stream.capture : nullptr;
  mark.time = std::chrono::steady_clock::now();
}

void Stream::wait(const Event& event) {
  HostStream& stream = stream_of(*this);
  const std::shared_ptr<Capture>& other = event_of(event).capture;
  if (other == nullptr || other->ended || stream.capturing() == other.get()) return;
  if (stream.capturing() != nullptr) throw Error(ErrorCode::internal_error, "a stream that captures waits for an event of another capture");
  stream.capture = other;
  stream.owns_capture = false;
}

void Stream::synchronize() {
  if (stream_of(*this).capturing() != nullptr) throw Error(ErrorCode::internal_error, "a stream cannot be waited for while it captures");
}

void Stream::begin_capture() {
  HostStream& stream = stream_of(*this);
  if (stream.capturing() != nullptr) throw Error(ErrorCode::internal_error, "the stream captures already");
  stream.capture = std::make_shared<Capture>();
  stream.owns_capture = true;
}

Graph Stream::end_capture() {
  HostStream& stream = stream_of(*this);
  if (stream.capturing() == nullptr || !stream.owns_capture) {
    throw Error(ErrorCode::internal_error, "end_capture() on a stream that did not begin a capture");
  }
  stream.capture->ended = true;
  Graph graph;
  graph.handle_ = new HostGraph{std::move(stream.capture->work)};
  stream.capture = nullptr;
  return graph;
}

void Stream::replay(const Graph& graph) {
  if (!graph) throw Error(ErrorCode::internal_error, "replay() of an empty graph");
  for (const auto& work : static_cast<HostGraph*>(graph.handle_)->work) emulation::submit(*this, work);
}

}  // namespace eyrie::cuda

namespace eyrie::emulation {

void submit(cuda::Stream& stream, std::function<void()> work) {
  cuda::Capture* capture = cuda::stream_of(stream).capturing();
  if (capture != nullptr) {
    capture->work.push_back(std::move(work));
  } else {
    work();
  }
}

}  // namespace eyrie::emulation
