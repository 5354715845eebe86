#include "cpu/compute.h"

#include <string>

#include "cpu/attention/attention_kernels.h"
#include "cpu/linear/linear_kernels.h"
#include "cpu/vector/vector_kernels.h"
#include "error.h"

namespace eyrie {

Compute make_compute(ThreadPool& pool, Isa isa) {
  if (!isa_supported(isa))
    throw Error(ErrorCode::unsupported_device, std::string("isa ") + isa_name(isa) + " cannot run on this CPU; choose auto");
  return {&pool, isa, &vector_kernels(isa), &linear_kernels(isa), &attention_kernels(isa)};
}

}  // namespace eyrie
