// The safetensors header and the index of shards, from any bytes. Whatever is accepted must lie inside the file.

#include <cstdlib>
#include <string_view>

#include "error.h"
#include "io/safetensors_header.h"
#include "io/weight_index.h"
#include "test/io/fuzz/fuzz_target.h"
#include "test/io/fuzz/memory_file.h"
#include "test/support/zip_builder.h"

namespace {

template <class Body>
void accept_errors(Body&& body) {
  try {
    body();
  } catch (const eyrie::Error&) {}
}

std::string with_length(const std::string& header, size_t data_bytes) {
  std::string file;
  eyrie::test::append_number(file, header.size(), 8);
  return file + header + std::string(data_bytes, '\x3f');
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  return {
      with_length(R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},)"
                  R"("b.\u0062":{"dtype":"F32","shape":[],"data_offsets":[12,16]}})",
                  16),
      with_length(R"({})", 0),
      R"({"metadata":{"total_size":12.5e3},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})",
  };
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  accept_errors([&] {
    const eyrie::test::MemoryFile bytes(data, size);
    for (const eyrie::TensorInfo& tensor : read_safetensors_header(eyrie::InputFile(bytes.path()))) {
      if (tensor.offset > size || tensor.bytes > size - tensor.offset) std::abort();
    }
  });
  accept_errors([&] {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    for (const std::string& shard : eyrie::parse_weight_index(text, "fuzz").shards) {
      if (shard.find('/') != std::string::npos || shard.starts_with(".")) std::abort();
    }
  });
  return 0;
}
