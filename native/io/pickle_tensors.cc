#include "io/pickle_tensors.h"

#include "io/bounds.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

/// The shape, if its elements fit the storage row after row; a dimension of one may have any stride.
void check_layout(const PickleStack& stack, const PickleValue& tensor, const PickleValue& strides, uint64_t available) {
  uint64_t elements = 0;
  if (!shape_bytes(tensor.shape, 1, elements)) throw PickleFault{"a tensor of impossible size " + shape_text(tensor.shape)};
  const auto offset = static_cast<uint64_t>(tensor.number);
  if (offset > available || elements > available - offset) throw PickleFault{"a tensor that reaches beyond its storage"};
  uint64_t stride = 1;
  for (size_t i = tensor.shape.size(); i > 0 && elements > 0; --i) {
    const uint64_t stated = stack.size(strides.items[i - 1]);
    if (tensor.shape[i - 1] != 1 && stated != stride) {
      throw PickleFault{"a tensor that is not row-major (call .contiguous() before torch.save)"};
    }
    stride *= tensor.shape[i - 1];
  }
}

/// (storage, offset, sizes, strides, requires_grad, hooks[, metadata]); the last ones say nothing about the values.
PickleId describe_tensor(PickleStack& stack, const std::vector<PickleId>& arguments) {
  if (arguments.size() != 6 && arguments.size() != 7) {
    throw PickleFault{"_rebuild_tensor_v2 with a wrong number of arguments"};
  }
  const PickleValue& storage = stack.typed(arguments[0], PickleKind::storage, "a storage");
  const PickleValue& sizes = stack.typed(arguments[2], PickleKind::tuple, "a tuple of sizes");
  const PickleValue& strides = stack.typed(arguments[3], PickleKind::tuple, "a tuple of strides");
  if (sizes.items.size() != strides.items.size() || sizes.items.size() > bounds::kDimensionsMax) {
    throw PickleFault{"a tensor with an impossible number of dimensions"};
  }
  PickleValue tensor;
  tensor.kind = PickleKind::tensor;
  tensor.dtype = storage.dtype;
  tensor.number = static_cast<int64_t>(stack.size(arguments[1]));
  for (const PickleId item : sizes.items) tensor.shape.push_back(stack.size(item));
  check_layout(stack, tensor, strides, static_cast<uint64_t>(storage.number));
  tensor.items = {arguments[0]};
  return stack.add(std::move(tensor));
}

}  // namespace

PickleId describe_storage(PickleStack& stack, PickleId persistent_id) {
  const std::vector<PickleId>& items = stack.typed(persistent_id, PickleKind::tuple, "a tuple as persistent id").items;
  if (items.size() != 5 || stack.typed(items[0], PickleKind::string, "a string").text != "storage") {
    throw PickleFault{"a persistent id that is no storage"};
  }
  const auto dtype = storage_dtype(stack.typed(items[1], PickleKind::global, "a storage type").global);
  if (!dtype) throw PickleFault{"a persistent id without storage type"};
  PickleValue storage;
  storage.kind = PickleKind::storage;
  storage.dtype = *dtype;
  storage.text = stack.typed(items[2], PickleKind::string, "a storage key").text;
  static_cast<void>(stack.typed(items[3], PickleKind::string, "a storage location"));
  storage.number = static_cast<int64_t>(stack.size(items[4]));
  return stack.add(std::move(storage));
}

PickleId describe_call(PickleStack& stack, PickleId callable, PickleId arguments_tuple) {
  const std::vector<PickleId> arguments = stack.typed(arguments_tuple, PickleKind::tuple, "a tuple of arguments").items;
  switch (stack.typed(callable, PickleKind::global, "a callable").global) {
    case PickleGlobal::ordered_dict: {
      if (!arguments.empty()) throw PickleFault{"OrderedDict with arguments"};
      PickleValue dict;
      dict.kind = PickleKind::dict;
      return stack.add(std::move(dict));
    }
    case PickleGlobal::rebuild_tensor: return describe_tensor(stack, arguments);
    case PickleGlobal::rebuild_parameter:
      if (arguments.size() != 3) throw PickleFault{"_rebuild_parameter with a wrong number of arguments"};
      static_cast<void>(stack.typed(arguments[0], PickleKind::tensor, "a tensor"));
      return arguments[0];
    default: throw PickleFault{"a storage type is not callable"};
  }
}

std::vector<PickledTensor> list_tensors(const PickleStack& stack, PickleId dict) {
  const PickleValue& root = stack.at(dict);
  if (root.kind != PickleKind::dict) throw PickleFault{"the pickle holds no dict of tensors"};
  std::vector<PickledTensor> tensors;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const std::string_view name = stack.typed(root.items[i], PickleKind::string, "a tensor's name as key").text;
    if (name.size() > bounds::kTensorNameBytesMax) throw PickleFault{"a tensor name is too long: " + quoted_text(name)};
    if (tensors.size() == bounds::kTensorsMax) {
      throw PickleFault{"more than " + std::to_string(bounds::kTensorsMax) + " tensors"};
    }
    const PickleValue& value = stack.at(root.items[i + 1]);
    if (value.kind != PickleKind::tensor) throw PickleFault{"entry " + quoted_text(name) + " is no tensor"};
    const PickleValue& storage = stack.at(value.items[0]);
    tensors.push_back({std::string(name), value.dtype, value.shape, std::string(storage.text), static_cast<uint64_t>(storage.number),
                       static_cast<uint64_t>(value.number)});
  }
  return tensors;
}

}  // namespace eyrie
