#include "io/pickle_stack.h"

#include "io/bounds.h"

namespace eyrie {

PickleId PickleStack::add(PickleValue value) {
  values_.push_back(std::move(value));
  return static_cast<PickleId>(values_.size() - 1);
}

void PickleStack::push(PickleId id) {
  if (stack_.size() >= bounds::kPickleStackMax) throw PickleFault{"the pickle's stack is too deep"};
  stack_.push_back(id);
}

PickleId PickleStack::top() const {
  if (stack_.size() <= floor()) throw PickleFault{"the pickle's stack is empty"};
  return stack_.back();
}

PickleId PickleStack::pop() {
  const PickleId id = top();
  stack_.pop_back();
  return id;
}

void PickleStack::mark() {
  if (marks_.size() >= bounds::kPickleStackMax) throw PickleFault{"the pickle's stack is too deep"};
  marks_.push_back(stack_.size());
}

std::vector<PickleId> PickleStack::pop_to_mark() {
  if (marks_.empty()) throw PickleFault{"the pickle lacks a MARK"};
  const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<PickleId> items(first, stack_.end());
  stack_.erase(first, stack_.end());
  marks_.pop_back();
  return items;
}

std::vector<PickleId> PickleStack::pop_many(size_t count) {
  std::vector<PickleId> items(count);
  for (size_t i = count; i > 0; --i) items[i - 1] = pop();
  return items;
}

void PickleStack::memo_put(uint64_t slot) {
  if (slot >= bounds::kPickleMemoMax) throw PickleFault{"the pickle's memo is too large"};
  if (slot >= memo_.size()) memo_.resize(slot + 1);
  memo_[slot] = top();
}

void PickleStack::memo_get(uint64_t slot) {
  if (slot >= memo_.size() || !memo_[slot]) throw PickleFault{"the pickle reads an empty memo slot"};
  push(*memo_[slot]);
}

const PickleValue& PickleStack::typed(PickleId id, PickleKind kind, const char* what) const {
  if (values_[id].kind != kind) throw PickleFault{std::string("expected ") + what};
  return values_[id];
}

uint64_t PickleStack::size(PickleId id) const {
  const int64_t number = typed(id, PickleKind::integer, "a whole number").number;
  if (number < 0) throw PickleFault{"a negative size or offset"};
  return static_cast<uint64_t>(number);
}

}  // namespace eyrie
