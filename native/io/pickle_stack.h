#pragma once
// Stack, marks, memo and values of the pickle machine, each within its bound of io/bounds.h.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "io/pickle_value.h"

namespace eyrie {

/// All methods throw PickleFault instead of reaching outside.
class PickleStack {
 public:
  void push(PickleId id);
  void push_new(PickleValue value) { push(add(std::move(value))); }
  /// Never pops below the newest mark.
  PickleId pop();
  PickleId top() const;
  void mark();
  /// Everything above the newest mark, which goes too.
  std::vector<PickleId> pop_to_mark();
  /// The `count` topmost values, lowest first.
  std::vector<PickleId> pop_many(size_t count);
  void memo_put(uint64_t slot);
  void memo_get(uint64_t slot);
  bool empty() const { return stack_.empty() && marks_.empty(); }

  PickleId add(PickleValue value);
  PickleValue& at(PickleId id) { return values_[id]; }
  const PickleValue& at(PickleId id) const { return values_[id]; }
  /// The value, which must be of that kind; `what` names it in the fault.
  const PickleValue& typed(PickleId id, PickleKind kind, const char* what) const;
  /// A size or offset: an integer that is not negative.
  uint64_t size(PickleId id) const;

 private:
  size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }

  std::vector<PickleValue> values_;
  std::vector<PickleId> stack_;
  std::vector<size_t> marks_;
  std::vector<std::optional<PickleId>> memo_;
};

}  // namespace eyrie
