#include "gpu/facts.h"

namespace eyrie::gpu {

LibraryFacts library_facts() { return {.driver = "none"}; }

}  // namespace eyrie::gpu
