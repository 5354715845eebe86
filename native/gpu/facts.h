#pragma once
// What only the CUDA run time and cuBLASLt know; facts_card.cc asks them, facts_emulated.cc stands in for them.

#include <string>

namespace eyrie::gpu {

struct LibraryFacts {
  std::string driver;  ///< "580.95": as the driver calls itself, or the CUDA version it supports
  int runtime = 0;     ///< e.g. 13000
  long cublaslt = 0;   ///< e.g. 130002
};

LibraryFacts library_facts();

}  // namespace eyrie::gpu
