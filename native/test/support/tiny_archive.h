#pragma once
// The checkpoints of tiny_checkpoint.h as pytorch_model.bin.

#include <string>

#include "test/support/pickle_builder.h"
#include "test/support/tiny_checkpoint.h"

namespace eyrie::test {

inline std::string torch_archive_bytes(const FloatTensors& tensors) {
  PickleBuilder pickle;
  pickle.raw("}(");
  std::vector<ZipPart> parts = {{"archive/data.pkl", ""}};
  for (const auto& [name, tensor] : tensors) {
    const std::string key = std::to_string(parts.size() - 1);
    std::vector<int32_t> sizes(tensor.shape.begin(), tensor.shape.end()), strides(sizes.size(), 1);
    for (size_t i = sizes.size() - 1; i > 0; --i) strides[i - 1] = strides[i] * sizes[i];
    pickle.text(name).tensor("FloatStorage", key, static_cast<int32_t>(tensor.values.size()), 0, sizes, strides);
    parts.push_back(
        {"archive/data/" + key, std::string(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float))});
  }
  parts.front().content = pickle.raw("u").program();
  return build_zip(parts);
}

}  // namespace eyrie::test
