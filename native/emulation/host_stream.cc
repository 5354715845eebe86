#include "emulation/host_stream.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "emulation/device_memory.h"
#include "emulation/settings.h"
#include "error.h"

namespace eyrie::emulation {

namespace {

[[noreturn]] void misuse(const char* what) { throw Error(ErrorCode::internal_error, what); }

struct Streams {
  std::mutex mutex;
  std::vector<std::weak_ptr<HostStream>> open;
  // Late work may wait for that of other streams and threads: one thread at a time runs it.
  std::recursive_mutex running;
};

Streams& streams() {
  static Streams streams;
  return streams;
}

std::vector<std::shared_ptr<HostStream>> open_streams() {
  const std::lock_guard lock(streams().mutex);
  std::vector<std::shared_ptr<HostStream>> open;
  for (const auto& weak : streams().open) {
    if (auto stream = weak.lock()) open.push_back(std::move(stream));
  }
  return open;
}

}  // namespace

bool Mark::passed() const {
  if (capture != nullptr && !capture->ended) misuse("an event that is being captured cannot be asked");
  return stream == nullptr || capture != nullptr || stream->passed() >= position;
}

void Mark::synchronize() const {
  if (capture != nullptr && !capture->ended) misuse("an event that is being captured cannot be waited for by the host");
  if (stream != nullptr && capture == nullptr) stream->run_until(position);
}

std::shared_ptr<HostStream> HostStream::open() {
  auto stream = std::make_shared<HostStream>();
  const std::lock_guard lock(streams().mutex);
  auto& open = streams().open;
  open.erase(std::remove_if(open.begin(), open.end(), [](const auto& weak) { return weak.expired(); }), open.end());
  open.push_back(stream);
  return stream;
}

HostStream::~HostStream() = default;

Capture* HostStream::capturing() {
  if (capture_ != nullptr && capture_->ended) capture_ = nullptr;
  return capture_.get();
}

void HostStream::submit(Work work) {
  Capture* capture = capturing();
  if (capture == nullptr) {
    enqueue(std::move(work));
    return;
  }
  capture->work.push_back(std::move(work));
  if (!owns_capture_) capture->joined[this] = capture->work.size();
}

void HostStream::enqueue(Work work) {
  if (late_streams()) {
    const std::lock_guard lock(streams().running);
    pending_.push_back(std::move(work));
    ++given_;
    return;
  }
  run_until(given_);
  ++given_;
  ++passed_;
  const DeviceAccess access;
  work();
}

void HostStream::run_until(uint64_t position) {
  if (passed_ >= position) return;
  const std::lock_guard lock(streams().running);
  while (passed_ < position && !pending_.empty()) {
    const Work work = std::move(pending_.front());
    pending_.pop_front();
    ++passed_;
    const DeviceAccess access;
    work();
  }
}

void HostStream::record(const std::shared_ptr<Mark>& mark) {
  mark->stream = shared_from_this();
  mark->capture = capturing() == nullptr ? nullptr : capture_;
  if (mark->capture != nullptr) {
    mark->position = mark->capture->work.size();
    return;
  }
  enqueue([mark] { mark->time = std::chrono::steady_clock::now(); });
  mark->position = given_;
}

void HostStream::wait(const Mark& mark) {
  Capture* capture = capturing();
  if (mark.capture != nullptr && mark.capture->ended) misuse("a stream waits for an event that was recorded in a capture that has ended");
  if (mark.capture == nullptr) {
    if (mark.stream == nullptr) return;
    if (capture != nullptr) misuse("a stream that captures waits for an event from outside of the capture");
    if (mark.stream.get() != this) enqueue([stream = mark.stream, position = mark.position] { stream->run_until(position); });
    return;
  }
  if (capture == nullptr) {
    capture_ = mark.capture;
    owns_capture_ = false;
    capture_->joined[this] = capture_->work.size();
  } else if (capture != mark.capture.get()) {
    misuse("a stream that captures waits for an event of another capture");
  }
  const auto other = capture_->joined.find(mark.stream.get());
  if (other != capture_->joined.end() && other->second <= mark.position && other->first != this) capture_->joined.erase(other);
}

void HostStream::synchronize() {
  if (capturing() != nullptr) misuse("a stream cannot be waited for while it captures");
  run_until(given_);
  if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
}

void HostStream::begin_capture() {
  if (capturing() != nullptr) misuse("the stream captures already");
  capture_ = std::make_shared<Capture>();
  owns_capture_ = true;
}

std::vector<Work> HostStream::end_capture() {
  if (capturing() == nullptr || !owns_capture_) misuse("end_capture() on a stream that did not begin a capture");
  const std::shared_ptr<Capture> capture = std::exchange(capture_, nullptr);
  capture->ended = true;
  if (!capture->joined.empty()) misuse("a stream that has joined the capture has not come back: wait for an event after its last work");
  return std::move(capture->work);
}

void finish_all_streams() noexcept {
  for (const auto& stream : open_streams()) {
    try {
      stream->run_until(stream->given_);
    } catch (...) {
      stream->error_ = std::current_exception();
    }
  }
}

void synchronize_all_streams() {
  for (const auto& stream : open_streams()) stream->synchronize();
}

}  // namespace eyrie::emulation
