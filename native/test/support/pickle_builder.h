#pragma once
// Assembles protocol-2 pickles opcode by opcode, as torch.save writes them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "test/support/zip_builder.h"

namespace eyrie::test {

class PickleBuilder {
 public:
  PickleBuilder& raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  PickleBuilder& text(std::string_view value) {
    bytes_ += 'X';
    append_number(bytes_, value.size(), 4);
    bytes_ += value;
    return *this;
  }
  PickleBuilder& number(int32_t value) {
    bytes_ += 'J';
    append_number(bytes_, static_cast<uint32_t>(value), 4);
    return *this;
  }
  PickleBuilder& global(std::string_view module, std::string_view name) { return raw("c").raw(module).raw("\n").raw(name).raw("\n"); }
  PickleBuilder& tuple(const std::vector<int32_t>& values) {
    raw("(");
    for (const int32_t value : values) number(value);
    return raw("t");
  }
  /// One tensor value: _rebuild_tensor_v2(storage, offset, sizes, strides, False, OrderedDict()).
  PickleBuilder& tensor(std::string_view type, std::string_view key, int32_t elements, int32_t offset, const std::vector<int32_t>& sizes,
                        const std::vector<int32_t>& strides) {
    global("torch._utils", "_rebuild_tensor_v2").raw("(");
    raw("(").text("storage").global("torch", type).text(key).text("cpu").number(elements).raw("tQ");
    return number(offset).tuple(sizes).tuple(strides).raw("\x89").global("collections", "OrderedDict").raw(")R").raw("tR");
  }
  std::string program() const { return std::string("\x80\x02", 2) + bytes_ + "."; }

 private:
  std::string bytes_;
};

}  // namespace eyrie::test
