// device.h for the emulation, see emulation/device_memory.h and emulation/host_stream.h.

#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "cuda/device.h"
#include "emulation/device_memory.h"
#include "emulation/host_stream.h"
#include "emulation/settings.h"
#include "emulation/submit.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

using emulation::HostStream;
using emulation::Mark;
using Recording = std::vector<emulation::Work>;

HostStream& stream_of(void* handle) { return **static_cast<std::shared_ptr<HostStream>*>(handle); }
const std::shared_ptr<Mark>& mark_of(void* handle) { return *static_cast<std::shared_ptr<Mark>*>(handle); }

}  // namespace

void free_device_memory(void* memory) noexcept {
  emulation::finish_all_streams();
  emulation::free_device_memory(memory);
}

void free_pinned_memory(void* memory) noexcept {
  emulation::finish_all_streams();
  std::free(memory);
}

int Device::count() { return emulation::cards(); }

Device::Device(int ordinal, bool poison) : poison_(poison) {
  if (ordinal < 0 || ordinal >= count()) {
    throw Error(ErrorCode::unsupported_device, "device " + std::to_string(ordinal) + " was asked for, but there " +
                                                   (count() == 1 ? "is 1" : "are " + std::to_string(count())) + "; allowed is 0" +
                                                   (count() == 1 ? "" : " to " + std::to_string(count() - 1)) + " (emulated)");
  }
  info_ = DeviceInfo{.name = "emulation",
                     .ordinal = ordinal,
                     .major = 9,
                     .minor = 0,
                     .sm_count = 4,
                     .total_bytes = emulation::device_bytes(),
                     .free_bytes = emulation::free_device_bytes(),
                     .shared_bytes_per_block = emulation::kMaxSharedBytes,
                     .l2_bytes = size_t{1} << 20};
}

size_t Device::free_bytes() const { return emulation::free_device_bytes(); }
void Device::make_current() const {}
void Device::synchronize() const { emulation::synchronize_all_streams(); }

DeviceBuffer Device::alloc(size_t bytes) const {
  DeviceBuffer buffer;
  if (bytes > 0) buffer.data_ = emulation::allocate_device_memory(bytes);
  buffer.size_ = bytes;
  return buffer;
}

PinnedBuffer Device::alloc_pinned(size_t bytes) const {
  PinnedBuffer buffer;
  if (bytes > 0) buffer.data_ = emulation::allocate_host_memory(bytes);
  buffer.size_ = bytes;
  return buffer;
}

Event::Event(const Device&) : handle_(new std::shared_ptr<Mark>(std::make_shared<Mark>())) {}
Event::~Event() { delete static_cast<std::shared_ptr<Mark>*>(handle_); }
bool Event::query() const { return mark_of(handle_)->passed(); }
void Event::synchronize() const { mark_of(handle_)->synchronize(); }
std::chrono::duration<double, std::milli> Event::elapsed_since(const Event& earlier) const {
  if (!query() || !earlier.query()) throw Error(ErrorCode::internal_error, "elapsed_since() of events that were not passed yet");
  return mark_of(handle_)->time - mark_of(earlier.handle_)->time;
}

Graph::~Graph() { delete static_cast<Recording*>(handle_); }

Stream::Stream(const Device&) : handle_(new std::shared_ptr<HostStream>(HostStream::open())) {}
Stream::~Stream() {
  if (handle_ == nullptr) return;
  emulation::finish_all_streams();
  delete static_cast<std::shared_ptr<HostStream>*>(handle_);
}

void Stream::copy_to_device(void* to, const void* from, size_t bytes) {
  if (bytes > 0) emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::copy_to_host(void* to, const void* from, size_t bytes) {
  if (bytes > 0) emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::copy_on_device(void* to, const void* from, size_t bytes) {
  if (bytes > 0) emulation::submit(*this, [=] { std::memcpy(to, from, bytes); });
}
void Stream::fill(void* to, uint8_t value, size_t bytes) {
  if (bytes > 0) emulation::submit(*this, [=] { std::memset(to, value, bytes); });
}

void Stream::record(Event& event) {
  // A mark of its own for each record(): who waits for the one before must not see it move.
  auto& mark = *static_cast<std::shared_ptr<Mark>*>(event.native());
  mark = std::make_shared<Mark>();
  stream_of(handle_).record(mark);
}
void Stream::wait(const Event& event) { stream_of(handle_).wait(*mark_of(event.native())); }
void Stream::synchronize() { stream_of(handle_).synchronize(); }
void Stream::begin_capture() { stream_of(handle_).begin_capture(); }

Graph Stream::end_capture() {
  Graph graph;
  graph.handle_ = new Recording(stream_of(handle_).end_capture());
  return graph;
}

void Stream::replay(const Graph& graph) {
  if (!graph) throw Error(ErrorCode::internal_error, "replay() of an empty graph");
  for (const auto& work : *static_cast<Recording*>(graph.handle_)) emulation::submit(*this, work);
}

}  // namespace eyrie::cuda

namespace eyrie::emulation {

void submit(cuda::Stream& stream, Work work) { (*static_cast<std::shared_ptr<HostStream>*>(stream.native()))->submit(std::move(work)); }

}  // namespace eyrie::emulation
