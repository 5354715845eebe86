#pragma once
// Answers of the CUDA runtime as errors with a code. Only for files that are compiled against CUDA.

#include <cuda_runtime.h>

namespace eyrie::cuda {

/// Throws Error unless `status` is cudaSuccess; `call` is for the message.
void check_cuda(cudaError_t status, const char* call, const char* file, int line);

}  // namespace eyrie::cuda

#define EYRIE_CUDA_CHECK(call) ::eyrie::cuda::check_cuda((call), #call, __FILE__, __LINE__)
