#pragma once
// The three things a state dict may ask to be built, as descriptions: storages, tensors, parameters.

#include <vector>

#include "io/pickle_stack.h"
#include "io/restricted_pickle.h"

namespace eyrie {

/// A storage from its persistent id ("storage", type, key, location, number of elements). Throws PickleFault.
PickleId describe_storage(PickleStack& stack, PickleId persistent_id);

/// What calling `callable` with `arguments` (a tuple) would give, for the callables of io/pickle_value.h. Throws PickleFault.
PickleId describe_call(PickleStack& stack, PickleId callable, PickleId arguments);

/// The tensors of a dict, in its order. Throws PickleFault for any other value.
std::vector<PickledTensor> list_tensors(const PickleStack& stack, PickleId dict);

}  // namespace eyrie
