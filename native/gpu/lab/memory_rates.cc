#include "gpu/lab/memory_rates.h"

#include <algorithm>

#include "gpu/lab/lab_kernels.h"
#include "gpu/lab/timer.h"

namespace eyrie::gpu {

MemoryRates measure_memory(cuda::Device& device, cuda::Stream& stream, int64_t bytes) {
  MemoryRates rates;
  Timer timer(device);
  const cuda::DeviceBuffer memory = device.alloc(static_cast<size_t>(bytes)), sink = device.alloc(4);
  // Zeros would cost less power.
  fill_values(stream, memory.data(), bytes / 2, ValueType::bf16, 1);
  // How many blocks per multiprocessor read fastest differs between cards.
  for (const int blocks : {2, 4, 8}) {
    const double us = timer.best_us(
        stream, 3, 3, [&](int) { read_all(stream, memory.data(), bytes, device.info().sm_count * blocks, sink.as<uint32_t>()); });
    rates.read_gbs = std::max(rates.read_gbs, static_cast<double>(bytes) / (us * 1e3));
  }
  const int64_t copied = std::min(bytes, int64_t{1} << 30);
  const cuda::PinnedBuffer host = device.alloc_pinned(static_cast<size_t>(copied));
  const double us =
      timer.best_us(stream, 2, 2, [&](int) { stream.copy_to_device(memory.data(), host.data(), static_cast<size_t>(copied)); });
  rates.host_to_card_gbs = static_cast<double>(copied) / (us * 1e3);
  return rates;
}

}  // namespace eyrie::gpu
