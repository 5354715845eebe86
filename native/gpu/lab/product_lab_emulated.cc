#include "error.h"
#include "gpu/lab/product_lab.h"

namespace eyrie::gpu {

bool measure_products(cuda::Device&, cuda::Stream&, const ProductPlan&) {
  throw Error(ErrorCode::unsupported_device,
              "matrix products are cuBLASLt's, which the emulation lacks; `eyrie_gpu lab --rates` measures the rest");
}

double product_tflops(cuda::Device&, cuda::Stream&, const ProductShape&, const std::string&) { return 0; }

}  // namespace eyrie::gpu
