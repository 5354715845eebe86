#pragma once
// libeyrie_cuda.so, opened at run time (cuda/open_cuda.h).

#include <memory>
#include <string>
#include <vector>

#include "cuda/open_cuda.h"

namespace eyrie {

/// build-cuda/libeyrie_cuda.so beside the folder that this code was loaded from.
std::string default_cuda_library();

class CudaLibrary {
 public:
  /// Opens `path`; empty: default_cuda_library(). Throws unsupported_device where there is no such file, it cannot be loaded, or it
  /// was built from other sources. It stays loaded until the process ends.
  explicit CudaLibrary(const std::string& path);

  /// Throws unsupported_device without a usable driver; no card is an empty list.
  std::vector<CudaCard> cards() const;
  /// Throws what eyrie_open_cuda() tells.
  std::unique_ptr<Backend> open(const CudaOpenOptions& options, WeightLoad& weights) const;

 private:
  CudaCards* cards_ = nullptr;
  OpenCuda* open_ = nullptr;
};

}  // namespace eyrie
