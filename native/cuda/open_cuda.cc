#include "cuda/open_cuda.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "cuda/cuda_backend.h"
#include "cuda/device.h"
#include "cuda/pass/model_shape.h"
#include "cuda/ranks/rank_backend.h"

namespace eyrie {

namespace {

void put_text(char* to, size_t size, const std::string& text) {
  const size_t length = std::min(size - 1, text.size());
  std::memcpy(to, text.data(), length);
  to[length] = 0;
}

void fail(CudaStatus& status, ErrorCode code, const char* message) {
  status.failed = true;
  status.code = code;
  put_text(status.message, sizeof status.message, message);
}

/// Runs `work`; what it throws ends in `status`.
template <class Work>
auto guarded(CudaStatus& status, const Work& work) -> decltype(work()) {
  status = CudaStatus{};
  try {
    return work();
  } catch (const Error& error) {
    fail(status, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    fail(status, ErrorCode::out_of_memory, "the host has no memory left for the CUDA backend");
  } catch (const std::exception& error) {
    fail(status, ErrorCode::internal_error, error.what());
  } catch (...) {
    fail(status, ErrorCode::internal_error, "an unknown exception in the CUDA backend");
  }
  return {};
}

CudaCard describe(const cuda::DeviceInfo& info) {
  CudaCard card;
  put_text(card.name, sizeof card.name, info.name);
  card.major = static_cast<uint32_t>(info.major);
  card.minor = static_cast<uint32_t>(info.minor);
  card.multiprocessors = static_cast<uint32_t>(info.sm_count);
  card.memory_bytes = info.total_bytes;
  card.free_bytes = info.free_bytes;
  return card;
}

cuda::RowFormat format_of(DType dtype) {
  switch (dtype) {
    case DType::bfloat16: return cuda::RowFormat::bf16;
    case DType::fp8: return cuda::RowFormat::e4m3;
    case DType::int8: return cuda::RowFormat::int8;
    default: break;
  }
  throw Error(ErrorCode::invalid_request, std::string("dtype is ") + dtype_name(dtype) +
                                              ", on a card it must be bfloat16, fp8 or int8; or run it on the CPU (--device cpu)");
}

cuda::CudaBackendOptions backend_options(const CudaOpenOptions& options) {
  cuda::CudaBackendOptions backend;
  backend.config = options.config;
  backend.format = format_of(options.dtype);
  if (options.keep_dense) backend.format.dense = cuda::RowFormat::bf16;
  if (options.keep_down) backend.format.down = cuda::RowFormat::bf16;
  backend.slots = options.slots;
  backend.slot_tokens = options.slot_tokens;
  backend.rows_max = options.rows_max;
  backend.kv_pages = options.kv_pages;
  backend.stop_token_ids.assign(options.stop_token_ids.begin(), options.stop_token_ids.end());
  return backend;
}

void check_cards(const CudaOpenOptions& options) {
  const int count = cuda::Device::count();
  const uint64_t end = uint64_t{options.first_card} + options.cards;
  if (options.cards < 1 || end > static_cast<uint64_t>(count)) {
    throw Error(ErrorCode::unsupported_device, std::to_string(options.cards) + " card(s) from number " +
                                                   std::to_string(options.first_card) + " on were asked for, but this process sees " +
                                                   std::to_string(count) +
                                                   "; choose a smaller --tensor-parallel, look at CUDA_VISIBLE_DEVICES, or run it on the "
                                                   "CPU (--device cpu)");
  }
}

std::unique_ptr<Backend> open(const CudaOpenOptions& options, WeightLoad& load) {
  check_cards(options);
  if (options.cards > 1) return cuda::open_ranks(backend_options(options), options.first_card, options.cards, load);
  auto device = std::make_shared<cuda::Device>(static_cast<int>(options.first_card));
  auto backend = std::make_unique<cuda::CudaBackend>(std::move(device), backend_options(options));
  const std::unique_ptr<WeightSink> sink = backend->weights().sink(backend->stream());
  load.load(*sink);
  return backend;
}

}  // namespace

extern "C" {

uint32_t eyrie_cuda_border() { return kCudaBorder; }

uint32_t eyrie_cuda_cards(CudaCard* cards, uint32_t max, CudaStatus* status) {
  return guarded(*status, [&] {
    const int count = cuda::Device::count();
    for (int ordinal = 0; ordinal < std::min(count, static_cast<int>(max)); ++ordinal) {
      cards[ordinal] = describe(cuda::Device(ordinal).info());
    }
    return static_cast<uint32_t>(count);
  });
}

Backend* eyrie_open_cuda(const CudaOpenOptions* options, WeightLoad* weights, CudaStatus* status) {
  return guarded(*status, [&] { return open(*options, *weights).release(); });
}

}  // extern "C"

}  // namespace eyrie
