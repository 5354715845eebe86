#pragma once
// All that the host side of the CUDA backend asks of a card: memory, streams, events, graphs. No CUDA header is seen through this one,
// so that the files that use it are compiled by plain g++. device_cuda.cc implements it with the CUDA runtime, device_host.cc for the
// emulation, where device memory is heap memory and everything runs at once.
//
// Every call throws Error: unsupported_device (no driver, no card), out_of_memory (with the bytes asked for and free), engine_closed
// (the context is lost and all that lived in it: only a new process helps), internal_error (anything else).

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace eyrie::cuda {

struct DeviceInfo {
  std::string name;
  int ordinal = 0;
  int major = 0, minor = 0;  // compute capability
  int sm_count = 0;
  size_t total_bytes = 0;             // memory of the card
  size_t free_bytes = 0;              // when the device was opened; Device::free_bytes() asks anew
  size_t shared_bytes_per_block = 0;  // the most that one block may ask for
  size_t l2_bytes = 0;
};

void free_device_memory(void* memory) noexcept;
void free_pinned_memory(void* memory) noexcept;

/// Memory that goes with its owner.
template <void release(void*) noexcept>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&& other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Buffer& operator=(Buffer&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) release(data_);
  }

  void* data() const { return data_; }
  size_t size() const { return size_; }
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  friend class Device;
  void* data_ = nullptr;
  size_t size_ = 0;
};

/// Memory of the card. Its address means nothing to the host.
using DeviceBuffer = Buffer<free_device_memory>;
/// Memory of the host that the card reads and writes by itself. Must outlive the copies that use it.
using PinnedBuffer = Buffer<free_pinned_memory>;

/// One card. Must outlive what was made of it.
class Device {
 public:
  /// How many cards there are; throws unsupported_device without a driver.
  static int count();

  /// Opens card `ordinal` and makes it that of the calling thread. `poison` fills what alloc() gives with 0xFF bytes (NaN), to find
  /// reads of what was never written; the emulation always does.
  explicit Device(int ordinal = 0, bool poison = false);

  const DeviceInfo& info() const { return info_; }
  size_t free_bytes() const;
  /// For each further thread that uses the card.
  void make_current() const;
  /// Aligned to 256 bytes. 0 bytes give an empty buffer.
  DeviceBuffer alloc(size_t bytes) const;
  PinnedBuffer alloc_pinned(size_t bytes) const;
  /// Waits for all streams.
  void synchronize() const;

 private:
  DeviceInfo info_;
  bool poison_;
};

/// A mark in a stream.
class Event {
 public:
  explicit Event(const Device& device);
  Event(Event&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Event& operator=(Event&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Event();

  /// Has the stream passed the last record()? True for an event that was never recorded.
  bool query() const;
  void synchronize() const;
  /// Between two events that were passed.
  std::chrono::duration<double, std::milli> elapsed_since(const Event& earlier) const;
  void* native() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

/// Work that was recorded once and is started with one call: the same kernels, addresses and arguments each time.
class Graph {
 public:
  Graph() = default;
  Graph(Graph&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Graph& operator=(Graph&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Graph();
  explicit operator bool() const { return handle_ != nullptr; }

 private:
  friend class Stream;
  void* handle_ = nullptr;
};

/// Work in the order in which it was given. Copies and launches start and do not wait.
class Stream {
 public:
  explicit Stream(const Device& device);
  Stream(Stream&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Stream& operator=(Stream&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Stream();

  /// `from` should be pinned (else the call waits) and must stay as it is until the copy is done.
  void copy_to_device(void* to, const void* from, size_t bytes);
  void copy_to_host(void* to, const void* from, size_t bytes);
  void copy_on_device(void* to, const void* from, size_t bytes);
  void fill(void* to, uint8_t value, size_t bytes);

  void record(Event& event);
  /// What follows in this stream starts after `event`.
  void wait(const Event& event);
  void synchronize();

  /// From here on work is recorded, not started; other streams join by waiting for an event of this one.
  void begin_capture();
  Graph end_capture();
  void replay(const Graph& graph);

  /// cudaStream_t on a card.
  void* native() const { return handle_; }

 private:
  void* handle_ = nullptr;
};

}  // namespace eyrie::cuda
