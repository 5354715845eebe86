#include "io/restricted_pickle.h"

#include <array>
#include <cstring>
#include <optional>
#include <string_view>

#include "io/bounds.h"
#include "error.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

enum class Kind : uint8_t { kNone, kBool, kInt, kFloat, kString, kTuple, kList, kDict, kGlobal, kStorage, kTensor };

enum class Global : uint8_t { kOrderedDict, kRebuildTensor, kRebuildParameter, kBF16Storage, kF16Storage, kF32Storage };

struct KnownGlobal {
  std::string_view module;
  std::string_view name;
  Global global;
};

constexpr std::array<KnownGlobal, 6> kKnownGlobals = {{
    {"collections", "OrderedDict", Global::kOrderedDict},
    {"torch._utils", "_rebuild_tensor_v2", Global::kRebuildTensor},
    {"torch._utils", "_rebuild_parameter", Global::kRebuildParameter},
    {"torch", "BFloat16Storage", Global::kBF16Storage},
    {"torch", "HalfStorage", Global::kF16Storage},
    {"torch", "FloatStorage", Global::kF32Storage},
}};

std::optional<TensorDtype> storage_dtype(Global global) {
  switch (global) {
    case Global::kBF16Storage:
      return TensorDtype::bf16;
    case Global::kF16Storage:
      return TensorDtype::f16;
    case Global::kF32Storage:
      return TensorDtype::f32;
    default:
      return std::nullopt;
  }
}

using NodeId = uint32_t;

// A value of the machine. Values are shared by id (memo, lists), never copied, so a pickle cannot blow itself up.
struct Node {
  Kind kind = Kind::kNone;
  Global global = Global::kOrderedDict;
  TensorDtype dtype = TensorDtype::f32;
  // Integer or boolean; for a storage its number of elements; for a tensor its first element.
  int64_t number = 0;
  // Text of a string, or key of a storage; points into the pickle.
  std::string_view text;
  // Elements of a tuple or list; key, value, key, value… of a dict; {storage} of a tensor.
  std::vector<NodeId> items;
  // Only of a tensor.
  std::vector<uint64_t> shape;
};

class PickleMachine {
 public:
  PickleMachine(std::span<const std::byte> pickle, const std::string& file) : pickle_(pickle), file_(file) {}

  std::vector<PickledTensor> run();

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorCode::model_invalid, file_ + ": " + reason + " (byte " + std::to_string(at_) + " of its pickle)");
  }

  // Bytes of the program.
  std::span<const std::byte> take(size_t count) {
    if (count > pickle_.size() - at_) fail("the pickle ends too early");
    const auto out = pickle_.subspan(at_, count);
    at_ += count;
    return out;
  }
  uint64_t take_unsigned(size_t count) {
    uint64_t value = 0;
    size_t shift = 0;
    for (const std::byte b : take(count)) {
      value |= std::to_integer<uint64_t>(b) << shift;
      shift += 8;
    }
    return value;
  }
  std::string_view take_text(size_t count) {
    if (count > bounds::kPickleStringBytesMax) fail("a string of " + std::to_string(count) + " bytes is too long");
    const auto bytes = take(count);
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  std::string_view take_line();

  // Stack and memo.
  NodeId add(Node node) {
    nodes_.push_back(std::move(node));
    return static_cast<NodeId>(nodes_.size() - 1);
  }
  void push(NodeId id) {
    if (stack_.size() >= bounds::kPickleStackMax) fail("the pickle's stack is too deep");
    stack_.push_back(id);
  }
  void push_new(Node node) { push(add(std::move(node))); }
  NodeId pop() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("the pickle's stack is empty");
    const NodeId id = stack_.back();
    stack_.pop_back();
    return id;
  }
  Node& top() {
    if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) fail("the pickle's stack is empty");
    return nodes_[stack_.back()];
  }
  std::vector<NodeId> pop_to_mark();
  void memo_put(uint64_t slot);
  void memo_get(uint64_t slot);

  // Opcodes with more than one line.
  void step(uint8_t opcode);
  void push_tuple(size_t count);
  void push_global();
  void push_storage();
  void reduce();
  void build();
  void append_items(const std::vector<NodeId>& items);
  void set_items(const std::vector<NodeId>& items);
  NodeId rebuild_tensor(const std::vector<NodeId>& arguments);

  const Node& typed(NodeId id, Kind kind, const char* what) const {
    if (nodes_[id].kind != kind) fail(std::string("expected ") + what);
    return nodes_[id];
  }
  uint64_t size(NodeId id) const {
    const Node& node = typed(id, Kind::kInt, "a whole number");
    if (node.number < 0) fail("a negative size or offset");
    return static_cast<uint64_t>(node.number);
  }
  std::vector<PickledTensor> to_tensors(const Node& root) const;

  std::span<const std::byte> pickle_;
  const std::string& file_;
  size_t at_ = 0;
  std::vector<Node> nodes_;
  std::vector<NodeId> stack_;
  std::vector<size_t> marks_;
  std::vector<std::optional<NodeId>> memo_;
};

std::string_view PickleMachine::take_line() {
  const size_t start = at_;
  while (at_ < pickle_.size() && at_ - start <= bounds::kTensorNameBytesMax) {
    if (std::to_integer<char>(pickle_[at_++]) == '\n') {
      return {reinterpret_cast<const char*>(pickle_.data()) + start, at_ - 1 - start};
    }
  }
  fail("a name without end");
}

std::vector<NodeId> PickleMachine::pop_to_mark() {
  if (marks_.empty()) fail("the pickle lacks a MARK");
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<NodeId> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

void PickleMachine::memo_put(uint64_t slot) {
  if (slot >= bounds::kPickleMemoMax) fail("the pickle's memo is too large");
  static_cast<void>(top());
  if (slot >= memo_.size()) memo_.resize(slot + 1);
  memo_[slot] = stack_.back();
}

void PickleMachine::memo_get(uint64_t slot) {
  if (slot >= memo_.size() || !memo_[slot]) fail("the pickle reads an empty memo slot");
  push(*memo_[slot]);
}

void PickleMachine::push_tuple(size_t count) {
  Node tuple;
  tuple.kind = Kind::kTuple;
  tuple.items.resize(count);
  for (size_t i = count; i > 0; --i) tuple.items[i - 1] = pop();
  push_new(std::move(tuple));
}

void PickleMachine::push_global() {
  const std::string_view module = take_line();
  const std::string_view name = take_line();
  for (const KnownGlobal& known : kKnownGlobals) {
    if (known.module == module && known.name == name) {
      Node node;
      node.kind = Kind::kGlobal;
      node.global = known.global;
      return push_new(std::move(node));
    }
  }
  fail("the pickle asks for " + quoted_text(std::string(module) + "." + std::string(name)) +
       ", which a file of weights does not need; refused, nothing was executed");
}

void PickleMachine::push_storage() {
  const NodeId id = pop();
  const Node& tuple = typed(id, Kind::kTuple, "a tuple as persistent id");
  if (tuple.items.size() != 5 || typed(tuple.items[0], Kind::kString, "a string").text != "storage") {
    fail("a persistent id that is no storage");
  }
  const std::optional<TensorDtype> dtype = storage_dtype(typed(tuple.items[1], Kind::kGlobal, "a storage type").global);
  if (!dtype) fail("a persistent id without storage type");
  Node storage;
  storage.kind = Kind::kStorage;
  storage.dtype = *dtype;
  storage.text = typed(tuple.items[2], Kind::kString, "a storage key").text;
  static_cast<void>(typed(tuple.items[3], Kind::kString, "a storage location"));
  storage.number = static_cast<int64_t>(size(tuple.items[4]));
  push_new(std::move(storage));
}

NodeId PickleMachine::rebuild_tensor(const std::vector<NodeId>& arguments) {
  if (arguments.size() != 6 && arguments.size() != 7) fail("_rebuild_tensor_v2 with a wrong number of arguments");
  const Node& storage = typed(arguments[0], Kind::kStorage, "a storage");
  const Node& sizes = typed(arguments[2], Kind::kTuple, "a tuple of sizes");
  const Node& strides = typed(arguments[3], Kind::kTuple, "a tuple of strides");
  if (sizes.items.size() != strides.items.size() || sizes.items.size() > bounds::kDimensionsMax) {
    fail("a tensor with an impossible number of dimensions");
  }
  Node tensor;
  tensor.kind = Kind::kTensor;
  tensor.dtype = storage.dtype;
  tensor.number = static_cast<int64_t>(size(arguments[1]));
  for (const NodeId item : sizes.items) tensor.shape.push_back(size(item));
  uint64_t elements = 0;
  if (!shape_bytes(tensor.shape, 1, elements)) fail("a tensor of impossible size " + shape_text(tensor.shape));
  const uint64_t available = static_cast<uint64_t>(storage.number);
  const uint64_t offset = static_cast<uint64_t>(tensor.number);
  if (offset > available || elements > available - offset) fail("a tensor that reaches beyond its storage");
  uint64_t stride = 1;
  for (size_t i = tensor.shape.size(); i > 0 && elements > 0; --i) {
    const uint64_t stated = size(strides.items[i - 1]);
    if (tensor.shape[i - 1] != 1 && stated != stride) {
      fail("a tensor that is not row-major (call .contiguous() before torch.save)");
    }
    stride *= tensor.shape[i - 1];
  }
  tensor.items = {arguments[0]};
  return add(std::move(tensor));
}

void PickleMachine::reduce() {
  const NodeId arguments_id = pop();
  const NodeId callable = pop();
  const std::vector<NodeId> arguments = typed(arguments_id, Kind::kTuple, "a tuple of arguments").items;
  switch (typed(callable, Kind::kGlobal, "a callable").global) {
    case Global::kOrderedDict: {
      if (!arguments.empty()) fail("OrderedDict with arguments");
      Node dict;
      dict.kind = Kind::kDict;
      return push_new(std::move(dict));
    }
    case Global::kRebuildTensor:
      return push(rebuild_tensor(arguments));
    case Global::kRebuildParameter:
      if (arguments.size() != 3) fail("_rebuild_parameter with a wrong number of arguments");
      static_cast<void>(typed(arguments[0], Kind::kTensor, "a tensor"));
      return push(arguments[0]);
    default:
      fail("a storage type is not callable");
  }
}

void PickleMachine::build() {
  static_cast<void>(pop());
  if (top().kind != Kind::kDict) fail("BUILD on something that is no OrderedDict");
}

void PickleMachine::append_items(const std::vector<NodeId>& items) {
  Node& list = top();
  if (list.kind != Kind::kList) fail("APPEND to something that is no list");
  list.items.insert(list.items.end(), items.begin(), items.end());
}

void PickleMachine::set_items(const std::vector<NodeId>& items) {
  if (items.size() % 2 != 0) fail("SETITEMS with an odd number of values");
  Node& dict = top();
  if (dict.kind != Kind::kDict) fail("SETITEM on something that is no dict");
  dict.items.insert(dict.items.end(), items.begin(), items.end());
}

void PickleMachine::step(uint8_t opcode) {
  Node node;
  switch (opcode) {
    case 'c':
      return push_global();
    case 'R':
      return reduce();
    case 'b':
      return build();
    case 'Q':
      return push_storage();
    case '(':
      if (marks_.size() >= bounds::kPickleStackMax) fail("the pickle's stack is too deep");
      return marks_.push_back(stack_.size());
    case 't':
      node.kind = Kind::kTuple;
      node.items = pop_to_mark();
      return push_new(std::move(node));
    case 0x85:
      return push_tuple(1);
    case 0x86:
      return push_tuple(2);
    case 0x87:
      return push_tuple(3);
    case ')':
      return push_tuple(0);
    case ']':
      node.kind = Kind::kList;
      return push_new(std::move(node));
    case '}':
      node.kind = Kind::kDict;
      return push_new(std::move(node));
    case 'a':
      return append_items({pop()});
    case 'e':
      return append_items(pop_to_mark());
    case 's': {
      const NodeId value = pop();
      const NodeId key = pop();
      return set_items({key, value});
    }
    case 'u':
      return set_items(pop_to_mark());
    case 'N':
      return push_new(std::move(node));
    case 0x88:
    case 0x89:
      node.kind = Kind::kBool;
      node.number = opcode == 0x88 ? 1 : 0;
      return push_new(std::move(node));
    case 'J':
      node.kind = Kind::kInt;
      node.number = static_cast<int32_t>(take_unsigned(4));
      return push_new(std::move(node));
    case 'K':
      node.kind = Kind::kInt;
      node.number = static_cast<int64_t>(take_unsigned(1));
      return push_new(std::move(node));
    case 'M':
      node.kind = Kind::kInt;
      node.number = static_cast<int64_t>(take_unsigned(2));
      return push_new(std::move(node));
    case 0x8a: {
      const size_t count = take_unsigned(1);
      if (count > 8) fail("a whole number of more than 64 bits");
      uint64_t value = take_unsigned(count);
      const bool negative = count > 0 && (value >> (8 * count - 1)) != 0;
      if (negative && count < 8) value |= ~uint64_t{0} << (8 * count);
      node.kind = Kind::kInt;
      node.number = static_cast<int64_t>(value);
      return push_new(std::move(node));
    }
    case 'G':
      static_cast<void>(take(8));
      node.kind = Kind::kFloat;
      return push_new(std::move(node));
    case 'X':
      node.kind = Kind::kString;
      node.text = take_text(take_unsigned(4));
      return push_new(std::move(node));
    case 'U':
      node.kind = Kind::kString;
      node.text = take_text(take_unsigned(1));
      return push_new(std::move(node));
    case 'h':
      return memo_get(take_unsigned(1));
    case 'j':
      return memo_get(take_unsigned(4));
    case 'q':
      return memo_put(take_unsigned(1));
    case 'r':
      return memo_put(take_unsigned(4));
    default:
      fail("opcode " + std::to_string(opcode) + " does not occur in a protocol-2 state dict; refused");
  }
}

std::vector<PickledTensor> PickleMachine::to_tensors(const Node& root) const {
  if (root.kind != Kind::kDict) fail("the pickle holds no dict of tensors");
  std::vector<PickledTensor> tensors;
  for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
    const std::string_view name = typed(root.items[i], Kind::kString, "a tensor's name as key").text;
    if (name.size() > bounds::kTensorNameBytesMax) fail("a tensor name is too long: " + quoted_text(name));
    if (tensors.size() == bounds::kTensorsMax) fail("more than " + std::to_string(bounds::kTensorsMax) + " tensors");
    const Node& value = nodes_[root.items[i + 1]];
    if (value.kind != Kind::kTensor) fail("entry " + quoted_text(name) + " is no tensor");
    const Node& storage = nodes_[value.items[0]];
    tensors.push_back({std::string(name), value.dtype, value.shape, std::string(storage.text),
                       static_cast<uint64_t>(storage.number), static_cast<uint64_t>(value.number)});
  }
  return tensors;
}

std::vector<PickledTensor> PickleMachine::run() {
  if (take_unsigned(1) != 0x80 || take_unsigned(1) != 2) fail("not a pickle of protocol 2");
  for (size_t count = 0; count < bounds::kPickleOpcodesMax; ++count) {
    const auto opcode = static_cast<uint8_t>(take_unsigned(1));
    if (opcode != '.') {
      step(opcode);
      continue;
    }
    const NodeId root = pop();
    if (!stack_.empty() || !marks_.empty() || at_ != pickle_.size()) fail("the pickle goes on after its end");
    return to_tensors(nodes_[root]);
  }
  fail("more than " + std::to_string(bounds::kPickleOpcodesMax) + " opcodes");
}

}  // namespace

std::vector<PickledTensor> read_state_dict_pickle(std::span<const std::byte> pickle, const std::string& file) {
  return PickleMachine(pickle, file).run();
}

}  // namespace eyrie
