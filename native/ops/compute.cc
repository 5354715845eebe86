#include "ops/compute.h"

#include <string>

#include "error.h"
#include "ops/attention_kernels.h"
#include "ops/linear_kernels.h"
#include "ops/vector_kernels.h"

namespace eyrie {

Compute make_compute(ThreadPool& pool, Isa isa) {
  if (!isa_supported(isa))
    throw Error(ErrorCode::unsupported_device, std::string("isa ") + isa_name(isa) + " cannot run on this CPU; choose auto");
  return {&pool, isa, &vector_kernels(isa), &linear_kernels(isa), &attention_kernels(isa)};
}

}  // namespace eyrie
