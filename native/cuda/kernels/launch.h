#pragma once
// How a kernel is started, for nvcc and, with EYRIE_EMULATION, for g++ (native/emulation). A .cu file includes this header, ptx.h and
// numbers.h and no header of CUDA by itself.
//
//   EYRIE_LAUNCH((my_kernel<float, 4>), dim3(rows, heads), 128, shared_bytes, stream, a, b, n);
//
// Grid and block are dim3 or a number. Arguments are converted to the types of the kernel's parameters. A template with commas goes in
// parentheses. Throws when the launch is refused.

#include <cstddef>
#include <type_traits>

#include "cuda/device.h"

#if defined(__CUDACC__)

#include <cuda_runtime.h>

#include "cuda/check.h"

namespace eyrie::cuda {

/// What a block gets without asking for more (48 KiB).
inline constexpr size_t kPlainSharedBytes = 48 << 10;

template <class... Parameters>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream& stream,
            std::type_identity_t<Parameters>... arguments) {
  if (shared_bytes > kPlainSharedBytes) {
    check_cuda(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(shared_bytes)),
               name, __FILE__, __LINE__);
  }
  void* addresses[sizeof...(Parameters) + 1] = {const_cast<void*>(static_cast<const volatile void*>(&arguments))...};
  check_cuda(cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, addresses, shared_bytes,
                              static_cast<cudaStream_t>(stream.native())),
             name, __FILE__, __LINE__);
}

/// The block's dynamic shared memory, aligned to 128 bytes; a kernel divides it itself.
template <class T>
__device__ __forceinline__ T* shared_memory() {
  extern __shared__ __align__(128) unsigned char eyrie_shared_bytes[];
  return reinterpret_cast<T*>(eyrie_shared_bytes);
}

}  // namespace eyrie::cuda

#elif defined(EYRIE_EMULATION)

#include <tuple>

#include "emulation/dialect.h"
#include "emulation/run_grid.h"
#include "emulation/submit.h"

namespace eyrie::cuda {

template <class... Parameters>
void launch(const char* name, void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared_bytes, Stream& stream,
            std::type_identity_t<Parameters>... arguments) {
  const emulation::GridShape shape{grid, block, shared_bytes};
  emulation::check_shape(name, shape);
  emulation::submit(stream, [=, values = std::tuple<void (*)(Parameters...), Parameters...>(kernel, arguments...)]() mutable {
    emulation::run_grid(
        name, shape, [](void* p) { std::apply([](auto run, auto&... v) { run(v...); }, *static_cast<decltype(values)*>(p)); }, &values);
  });
}

template <class T>
T* shared_memory() {
  return reinterpret_cast<T*>(emulation::shared_bytes_of_block());
}

}  // namespace eyrie::cuda

#else
#error "kernels are compiled by nvcc, or by g++ with EYRIE_EMULATION"
#endif

#define EYRIE_LAUNCH(kernel, grid, block, shared_bytes, stream, ...) \
  ::eyrie::cuda::launch(#kernel, kernel, grid, block, shared_bytes, stream __VA_OPT__(, ) __VA_ARGS__)
