// The zip directory and the pickle machine, from any bytes. Whatever is accepted must lie inside the file.

#include <cstdlib>
#include <span>

#include "error.h"
#include "io/restricted_pickle.h"
#include "io/torch_archive.h"
#include "test/io/fuzz/fuzz_target.h"
#include "test/io/fuzz/memory_file.h"
#include "test/support/pickle_builder.h"

namespace {

template <class Body>
void accept_errors(Body&& body) {
  try {
    body();
  } catch (const eyrie::Error&) {}
}

std::string state_dict() {
  eyrie::test::PickleBuilder pickle;
  pickle.global("collections", "OrderedDict").raw(")Rq").raw(std::string_view("\x00", 1)).raw("(");
  pickle.text("a").tensor("HalfStorage", "0", 12, 0, {3, 4}, {4, 1});
  pickle.text("b").global("torch._utils", "_rebuild_parameter").raw("(");
  pickle.tensor("FloatStorage", "1", 8, 2, {6}, {1}).raw("\x88").global("collections", "OrderedDict").raw(")RtR");
  pickle.raw("u}").text("_metadata").raw("}sb");
  return pickle.program();
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  std::vector<std::string> seeds = {state_dict()};
  for (const bool zip64 : {false, true}) {
    for (const uint16_t flags : {uint16_t{0}, uint16_t{0x808}}) {
      seeds.push_back(eyrie::test::build_zip({{.name = "m/data.pkl", .content = state_dict(), .flags = flags},
                                              {.name = "m/byteorder", .content = "little", .flags = flags},
                                              {.name = "m/data/0", .content = std::string(24, 'x'), .flags = flags},
                                              {.name = "m/data/1", .content = std::string(32, 'y'), .flags = flags}},
                                             {.zip64 = zip64}));
    }
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  accept_errors([&] {
    const eyrie::test::MemoryFile bytes(data, size);
    for (const eyrie::TensorInfo& tensor : read_torch_archive(eyrie::InputFile(bytes.path()))) {
      if (tensor.offset > size || tensor.bytes > size - tensor.offset) std::abort();
    }
  });
  accept_errors([&] {
    for (const eyrie::PickledTensor& tensor : eyrie::read_state_dict_pickle(std::as_bytes(std::span(data, size)), "fuzz")) {
      uint64_t elements = 0;
      if (!eyrie::shape_bytes(tensor.shape, 1, elements) || tensor.element_offset + elements > tensor.storage_elements) std::abort();
    }
  });
  return 0;
}
