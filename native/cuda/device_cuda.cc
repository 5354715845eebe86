// device.h with the CUDA runtime.

#include <cuda_runtime.h>

#include <cstring>
#include <string>

#include "cuda/check.h"
#include "cuda/device.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

/// Errors after which the context, and with it all memory on the card, is gone: every later call answers the same.
bool loses_context(cudaError_t status) {
  switch (status) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorLaunchFailure:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContained:
    case cudaErrorAssert:
    case cudaErrorExternalDevice: return true;
    default: return false;
  }
}

ErrorCode code_of(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
    case cudaErrorInsufficientDriver:
    case cudaErrorInitializationError:
    case cudaErrorSystemDriverMismatch:
    case cudaErrorCompatNotSupportedOnDevice:
    case cudaErrorDevicesUnavailable:
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
    case cudaErrorSystemNotReady:
    case cudaErrorStubLibrary: return ErrorCode::unsupported_device;
    case cudaErrorMemoryAllocation: return ErrorCode::out_of_memory;
    default: return loses_context(status) ? ErrorCode::engine_closed : ErrorCode::internal_error;
  }
}

const char* next_step(cudaError_t status) {
  switch (status) {
    case cudaErrorNoDevice:
      return "; no NVIDIA card is visible to this process: check `nvidia-smi` and CUDA_VISIBLE_DEVICES (in a container: --gpus all), or "
             "use the device cpu";
    case cudaErrorInsufficientDriver:
      return "; there is no NVIDIA driver or it is older than CUDA 13.0 asks for (580): install it, or use the device cpu";
    case cudaErrorSystemDriverMismatch:
    case cudaErrorInitializationError:
    case cudaErrorCompatNotSupportedOnDevice:
      return "; check that `nvidia-smi` works (driver and kernel module must match), or use the device cpu";
    case cudaErrorSystemNotReady:
      return "; cards joined by NVSwitch need the service nvidia-fabricmanager: start it, or use the device cpu";
    case cudaErrorDevicesUnavailable: return "; another process may hold the card exclusively: check `nvidia-smi`";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorUnsupportedPtxVersion:
      return "; this build has no kernels for this kind of card: cards from compute capability 8.0 on are supported";
    default: return loses_context(status) ? "; all that lived on the card is lost: start the process anew" : "";
  }
}

std::string mebibytes(size_t bytes) { return std::to_string(bytes) + " bytes (" + std::to_string(bytes >> 20) + " MiB)"; }

cudaStream_t stream_of(const void* handle) { return static_cast<cudaStream_t>(const_cast<void*>(handle)); }
cudaEvent_t event_of(const void* handle) { return static_cast<cudaEvent_t>(const_cast<void*>(handle)); }

}  // namespace

void check_cuda(cudaError_t status, const char* call, const char* file, int line) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // errors that are not sticky must not be met again by the next launch
  const char* slash = std::strrchr(file, '/');
  throw Error(code_of(status), std::string("CUDA: ") + cudaGetErrorString(status) + " (" + cudaGetErrorName(status) + ") in " + call +
                                   " at " + (slash == nullptr ? file : slash + 1) + ":" + std::to_string(line) + next_step(status));
}

// Destructors cannot tell of errors; after a lost context each call fails, and the memory is gone with it.
void free_device_memory(void* memory) noexcept { cudaFree(memory); }
void free_pinned_memory(void* memory) noexcept { cudaFreeHost(memory); }

int Device::count() {
  int count = 0;
  EYRIE_CUDA_CHECK(cudaGetDeviceCount(&count));
  return count;
}

Device::Device(int ordinal, bool poison) : poison_(poison) {
  const int devices = count();
  if (ordinal < 0 || ordinal >= devices) {
    throw Error(ErrorCode::unsupported_device, "device " + std::to_string(ordinal) + " was asked for, but there are " +
                                                   std::to_string(devices) + "; allowed are 0 to " + std::to_string(devices - 1) +
                                                   ", as `nvidia-smi -L` lists them");
  }
  info_.ordinal = ordinal;
  make_current();
  cudaDeviceProp properties;
  EYRIE_CUDA_CHECK(cudaGetDeviceProperties(&properties, ordinal));
  info_.name = properties.name;
  info_.major = properties.major;
  info_.minor = properties.minor;
  info_.sm_count = properties.multiProcessorCount;
  info_.shared_bytes_per_block = properties.sharedMemPerBlockOptin;
  info_.l2_bytes = static_cast<size_t>(properties.l2CacheSize);
  EYRIE_CUDA_CHECK(cudaMemGetInfo(&info_.free_bytes, &info_.total_bytes));
  if (info_.major < 8) {
    throw Error(ErrorCode::unsupported_device, "the card " + std::to_string(ordinal) + ", " + info_.name + ", has compute capability " +
                                                   std::to_string(info_.major) + "." + std::to_string(info_.minor) +
                                                   "; 8.0 or more is needed: choose another card, or use the device cpu");
  }
}

size_t Device::free_bytes() const {
  make_current();
  size_t free = 0, total = 0;
  EYRIE_CUDA_CHECK(cudaMemGetInfo(&free, &total));
  return free;
}

void Device::make_current() const { EYRIE_CUDA_CHECK(cudaSetDevice(info_.ordinal)); }

DeviceBuffer Device::alloc(size_t bytes) const {
  DeviceBuffer buffer;
  if (bytes == 0) return buffer;
  make_current();
  const cudaError_t status = cudaMalloc(&buffer.data_, bytes);
  if (status == cudaErrorMemoryAllocation) {
    buffer.data_ = nullptr;
    cudaGetLastError();
    throw Error(ErrorCode::out_of_memory, "the card " + std::to_string(info_.ordinal) + ", " + info_.name + ", cannot give " +
                                              mebibytes(bytes) + ", of its " + mebibytes(info_.total_bytes) + " " +
                                              mebibytes(free_bytes()) +
                                              " are free: take fewer slots or smaller weights, or end what else uses the card");
  }
  EYRIE_CUDA_CHECK(status);
  buffer.size_ = bytes;
  if (poison_) {
    EYRIE_CUDA_CHECK(cudaMemset(buffer.data_, 0xff, bytes));
    EYRIE_CUDA_CHECK(cudaDeviceSynchronize());  // our streams do not wait for the default stream
  }
  return buffer;
}

PinnedBuffer Device::alloc_pinned(size_t bytes) const {
  PinnedBuffer buffer;
  if (bytes == 0) return buffer;
  make_current();
  const cudaError_t status = cudaHostAlloc(&buffer.data_, bytes, cudaHostAllocPortable);
  if (status == cudaErrorMemoryAllocation) {
    buffer.data_ = nullptr;
    cudaGetLastError();
    throw Error(ErrorCode::out_of_memory, "the host cannot pin " + mebibytes(bytes) + "; check the free memory and the limit `ulimit -l`");
  }
  EYRIE_CUDA_CHECK(status);
  buffer.size_ = bytes;
  if (poison_) std::memset(buffer.data_, 0xff, bytes);
  return buffer;
}

void Device::synchronize() const {
  make_current();
  EYRIE_CUDA_CHECK(cudaDeviceSynchronize());
}

Event::Event(const Device& device) {
  device.make_current();
  cudaEvent_t event;
  EYRIE_CUDA_CHECK(cudaEventCreate(&event));
  handle_ = event;
}

Event::~Event() {
  if (handle_ != nullptr) cudaEventDestroy(event_of(handle_));
}

bool Event::query() const {
  const cudaError_t status = cudaEventQuery(event_of(handle_));
  if (status == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  EYRIE_CUDA_CHECK(status);
  return true;
}

void Event::synchronize() const { EYRIE_CUDA_CHECK(cudaEventSynchronize(event_of(handle_))); }

std::chrono::duration<double, std::milli> Event::elapsed_since(const Event& earlier) const {
  float milliseconds = 0;
  EYRIE_CUDA_CHECK(cudaEventElapsedTime(&milliseconds, event_of(earlier.handle_), event_of(handle_)));
  return std::chrono::duration<double, std::milli>(milliseconds);
}

Graph::~Graph() {
  if (handle_ != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(handle_));
}

Stream::Stream(const Device& device) {
  device.make_current();
  cudaStream_t stream;
  EYRIE_CUDA_CHECK(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  handle_ = stream;
}

Stream::~Stream() {
  if (handle_ != nullptr) cudaStreamDestroy(stream_of(handle_));
}

void Stream::copy_to_device(void* to, const void* from, size_t bytes) {
  if (bytes > 0) EYRIE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, stream_of(handle_)));
}
void Stream::copy_to_host(void* to, const void* from, size_t bytes) {
  if (bytes > 0) EYRIE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, stream_of(handle_)));
}
void Stream::copy_on_device(void* to, const void* from, size_t bytes) {
  if (bytes > 0) EYRIE_CUDA_CHECK(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream_of(handle_)));
}
void Stream::fill(void* to, uint8_t value, size_t bytes) {
  if (bytes > 0) EYRIE_CUDA_CHECK(cudaMemsetAsync(to, value, bytes, stream_of(handle_)));
}

void Stream::record(Event& event) { EYRIE_CUDA_CHECK(cudaEventRecord(event_of(event.native()), stream_of(handle_))); }
void Stream::wait(const Event& event) { EYRIE_CUDA_CHECK(cudaStreamWaitEvent(stream_of(handle_), event_of(event.native()), 0)); }
void Stream::synchronize() { EYRIE_CUDA_CHECK(cudaStreamSynchronize(stream_of(handle_))); }

void Stream::begin_capture() {
  // Other threads (the loader's, the GEMM's choice) may allocate meanwhile.
  EYRIE_CUDA_CHECK(cudaStreamBeginCapture(stream_of(handle_), cudaStreamCaptureModeThreadLocal));
}

Graph Stream::end_capture() {
  cudaGraph_t recorded = nullptr;
  EYRIE_CUDA_CHECK(cudaStreamEndCapture(stream_of(handle_), &recorded));
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, recorded, 0);
  cudaGraphDestroy(recorded);
  EYRIE_CUDA_CHECK(status);
  Graph graph;
  graph.handle_ = executable;
  return graph;
}

void Stream::replay(const Graph& graph) {
  if (!graph) throw Error(ErrorCode::internal_error, "replay() of an empty graph");
  EYRIE_CUDA_CHECK(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph.handle_), stream_of(handle_)));
}

}  // namespace eyrie::cuda
