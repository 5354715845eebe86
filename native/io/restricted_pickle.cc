#include "io/restricted_pickle.h"

#include <string_view>
#include <utility>

#include "error.h"
#include "io/bounds.h"
#include "io/pickle_stack.h"
#include "io/pickle_tensors.h"
#include "io/quoted_text.h"

namespace eyrie {

namespace {

/// The opcodes of protocol 2 that torch.save uses for state dicts, by their bytes in the pickle.
enum Opcode : uint8_t {
  kProto = 0x80,
  kStop = '.',
  kGlobal = 'c',
  kReduce = 'R',
  kBuild = 'b',
  kBinPersId = 'Q',
  kMark = '(',
  kTuple = 't',
  kEmptyTuple = ')',
  kTuple1 = 0x85,
  kTuple2 = 0x86,
  kTuple3 = 0x87,
  kEmptyList = ']',
  kEmptyDict = '}',
  kAppend = 'a',
  kAppends = 'e',
  kSetItem = 's',
  kSetItems = 'u',
  kNone = 'N',
  kNewTrue = 0x88,
  kNewFalse = 0x89,
  kBinInt = 'J',
  kBinInt1 = 'K',
  kBinInt2 = 'M',
  kLong1 = 0x8a,
  kBinFloat = 'G',
  kBinUnicode = 'X',
  kShortBinString = 'U',
  kBinGet = 'h',
  kLongBinGet = 'j',
  kBinPut = 'q',
  kLongBinPut = 'r',
};

PickleValue value_of(PickleKind kind, int64_t number = 0) {
  PickleValue value;
  value.kind = kind;
  value.number = number;
  return value;
}

class PickleMachine {
 public:
  explicit PickleMachine(std::span<const std::byte> pickle) : pickle_(pickle) {}

  std::vector<PickledTensor> run();
  size_t position() const { return at_; }

 private:
  std::span<const std::byte> take(size_t count);
  uint64_t take_unsigned(size_t count);
  std::string_view take_text(size_t count);
  std::string_view take_line();

  void step(uint8_t opcode);
  void push_string(size_t length);
  void push_tuple(std::vector<PickleId> items);
  void push_long(size_t count);
  void push_global();
  void reduce();
  void build();
  void extend_list(const std::vector<PickleId>& items);
  void extend_dict(const std::vector<PickleId>& items);

  std::span<const std::byte> pickle_;
  size_t at_ = 0;
  PickleStack stack_;
};

std::span<const std::byte> PickleMachine::take(size_t count) {
  if (count > pickle_.size() - at_) throw PickleFault{"the pickle ends too early"};
  const auto out = pickle_.subspan(at_, count);
  at_ += count;
  return out;
}

uint64_t PickleMachine::take_unsigned(size_t count) {
  uint64_t value = 0;
  size_t shift = 0;
  for (const std::byte b : take(count)) {
    value |= std::to_integer<uint64_t>(b) << shift;
    shift += 8;
  }
  return value;
}

std::string_view PickleMachine::take_text(size_t count) {
  if (count > bounds::kPickleStringBytesMax) {
    throw PickleFault{"a string of " + std::to_string(count) + " bytes is too long"};
  }
  const auto bytes = take(count);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string_view PickleMachine::take_line() {
  const size_t start = at_;
  while (at_ < pickle_.size() && at_ - start <= bounds::kTensorNameBytesMax) {
    if (std::to_integer<char>(pickle_[at_++]) == '\n') {
      return {reinterpret_cast<const char*>(pickle_.data()) + start, at_ - 1 - start};
    }
  }
  throw PickleFault{"a name without end"};
}

void PickleMachine::push_string(size_t length) {
  PickleValue value = value_of(PickleKind::string);
  value.text = take_text(length);
  stack_.push_new(std::move(value));
}

void PickleMachine::push_tuple(std::vector<PickleId> items) {
  PickleValue value = value_of(PickleKind::tuple);
  value.items = std::move(items);
  stack_.push_new(std::move(value));
}

/// A little-endian whole number in two's complement.
void PickleMachine::push_long(size_t count) {
  if (count > 8) throw PickleFault{"a whole number of more than 64 bits"};
  uint64_t value = take_unsigned(count);
  const bool negative = count > 0 && (value >> (8 * count - 1)) != 0;
  if (negative && count < 8) value |= ~uint64_t{0} << (8 * count);
  stack_.push_new(value_of(PickleKind::integer, static_cast<int64_t>(value)));
}

void PickleMachine::push_global() {
  const std::string_view module = take_line();
  const std::string_view name = take_line();
  const auto global = find_pickle_global(module, name);
  if (!global) {
    throw PickleFault{"the pickle asks for " + quoted_text(std::string(module) + "." + std::string(name)) +
                      ", which a file of weights does not need; refused, nothing was executed"};
  }
  PickleValue value = value_of(PickleKind::global);
  value.global = *global;
  stack_.push_new(std::move(value));
}

void PickleMachine::reduce() {
  const PickleId arguments = stack_.pop();
  const PickleId callable = stack_.pop();
  stack_.push(describe_call(stack_, callable, arguments));
}

/// Attributes of a state dict (its metadata) say nothing about the weights: dropped.
void PickleMachine::build() {
  static_cast<void>(stack_.pop());
  if (stack_.at(stack_.top()).kind != PickleKind::dict) throw PickleFault{"BUILD on something that is no OrderedDict"};
}

void PickleMachine::extend_list(const std::vector<PickleId>& items) {
  PickleValue& list = stack_.at(stack_.top());
  if (list.kind != PickleKind::list) throw PickleFault{"APPEND to something that is no list"};
  list.items.insert(list.items.end(), items.begin(), items.end());
}

void PickleMachine::extend_dict(const std::vector<PickleId>& items) {
  if (items.size() % 2 != 0) throw PickleFault{"SETITEMS with an odd number of values"};
  PickleValue& dict = stack_.at(stack_.top());
  if (dict.kind != PickleKind::dict) throw PickleFault{"SETITEM on something that is no dict"};
  dict.items.insert(dict.items.end(), items.begin(), items.end());
}

void PickleMachine::step(uint8_t opcode) {
  switch (opcode) {
    case kGlobal: return push_global();
    case kReduce: return reduce();
    case kBuild: return build();
    case kBinPersId: return stack_.push(describe_storage(stack_, stack_.pop()));
    case kMark: return stack_.mark();
    case kTuple: return push_tuple(stack_.pop_to_mark());
    case kEmptyTuple: return push_tuple({});
    case kTuple1: return push_tuple(stack_.pop_many(1));
    case kTuple2: return push_tuple(stack_.pop_many(2));
    case kTuple3: return push_tuple(stack_.pop_many(3));
    case kEmptyList: return stack_.push_new(value_of(PickleKind::list));
    case kEmptyDict: return stack_.push_new(value_of(PickleKind::dict));
    case kAppend: return extend_list(stack_.pop_many(1));
    case kAppends: return extend_list(stack_.pop_to_mark());
    case kSetItem: return extend_dict(stack_.pop_many(2));
    case kSetItems: return extend_dict(stack_.pop_to_mark());
    case kNone: return stack_.push_new(value_of(PickleKind::none));
    case kNewTrue: return stack_.push_new(value_of(PickleKind::boolean, 1));
    case kNewFalse: return stack_.push_new(value_of(PickleKind::boolean, 0));
    case kBinInt: return stack_.push_new(value_of(PickleKind::integer, static_cast<int32_t>(take_unsigned(4))));
    case kBinInt1: return stack_.push_new(value_of(PickleKind::integer, static_cast<int64_t>(take_unsigned(1))));
    case kBinInt2: return stack_.push_new(value_of(PickleKind::integer, static_cast<int64_t>(take_unsigned(2))));
    case kLong1: return push_long(take_unsigned(1));
    case kBinFloat: take(8); return stack_.push_new(value_of(PickleKind::real));
    case kBinUnicode: return push_string(take_unsigned(4));
    case kShortBinString: return push_string(take_unsigned(1));
    case kBinGet: return stack_.memo_get(take_unsigned(1));
    case kLongBinGet: return stack_.memo_get(take_unsigned(4));
    case kBinPut: return stack_.memo_put(take_unsigned(1));
    case kLongBinPut: return stack_.memo_put(take_unsigned(4));
    default: throw PickleFault{"opcode " + std::to_string(opcode) + " does not occur in a protocol-2 state dict; refused"};
  }
}

std::vector<PickledTensor> PickleMachine::run() {
  if (take_unsigned(1) != kProto || take_unsigned(1) != 2) throw PickleFault{"not a pickle of protocol 2"};
  for (size_t count = 0; count < bounds::kPickleOpcodesMax; ++count) {
    const auto opcode = static_cast<uint8_t>(take_unsigned(1));
    if (opcode != kStop) {
      step(opcode);
      continue;
    }
    const PickleId root = stack_.pop();
    if (!stack_.empty() || at_ != pickle_.size()) throw PickleFault{"the pickle goes on after its end"};
    return list_tensors(stack_, root);
  }
  throw PickleFault{"more than " + std::to_string(bounds::kPickleOpcodesMax) + " opcodes"};
}

}  // namespace

std::vector<PickledTensor> read_state_dict_pickle(std::span<const std::byte> pickle, const std::string& file) {
  PickleMachine machine(pickle);
  try {
    return machine.run();
  } catch (const PickleFault& fault) {
    throw Error(ErrorCode::model_invalid, file + ": " + fault.reason + " (byte " + std::to_string(machine.position()) + " of its pickle)");
  }
}

}  // namespace eyrie
