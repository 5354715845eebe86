#include "gpu/facts.h"

#include "cuda/device.h"
#include "gpu/commands.h"
#include "gpu/json_line.h"

namespace eyrie::gpu {

int facts(Arguments& arguments) {
  const uint32_t ordinal = arguments.number("device", 0, 0, 63);
  arguments.finish();
  const cuda::Device device(static_cast<int>(ordinal));
  const cuda::DeviceInfo& info = device.info();
  const LibraryFacts libraries = library_facts();
  JsonLine("card")
      .add("name", info.name)
      .add("driver", libraries.driver)
      .add("runtime", libraries.runtime)
      .add("cublaslt", static_cast<int64_t>(libraries.cublaslt))
      .add("capability", std::to_string(info.major) + "." + std::to_string(info.minor))
      .add("multiprocessors", info.sm_count)
      .add("total_bytes", uint64_t{info.total_bytes})
      .add("free_bytes", uint64_t{device.free_bytes()})
      .add("l2_bytes", uint64_t{info.l2_bytes})
      .add("shared_bytes_per_block", uint64_t{info.shared_bytes_per_block})
      .write();
  return 0;
}

}  // namespace eyrie::gpu
