#include <cublasLt.h>
#include <cuda_runtime.h>

#include <fstream>

#include "cuda/check.h"
#include "gpu/facts.h"

namespace eyrie::gpu {

LibraryFacts library_facts() {
  LibraryFacts facts;
  int supported = 0;
  EYRIE_CUDA_CHECK(cudaDriverGetVersion(&supported));
  EYRIE_CUDA_CHECK(cudaRuntimeGetVersion(&facts.runtime));
  facts.cublaslt = static_cast<long>(cublasLtGetVersion());
  facts.driver = "for CUDA " + std::to_string(supported / 1000) + "." + std::to_string(supported % 1000 / 10);
  std::ifstream version("/sys/module/nvidia/version");
  if (std::string text; std::getline(version, text)) facts.driver = text;
  return facts;
}

}  // namespace eyrie::gpu
