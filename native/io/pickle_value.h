#pragma once
// The values a restricted pickle can hold, and the few names it may ask for.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/tensor_info.h"

namespace eyrie {

/// What is wrong with a pickle; the reader adds file and position.
struct PickleFault {
  std::string reason;
};

enum class PickleKind : uint8_t { none, boolean, integer, real, string, tuple, list, dict, global, storage, tensor };

enum class PickleGlobal : uint8_t { ordered_dict, rebuild_tensor, rebuild_parameter, bf16_storage, f16_storage, f32_storage };

/// The global of that name, or nothing: then the pickle must be refused.
std::optional<PickleGlobal> find_pickle_global(std::string_view module, std::string_view name);

/// The dtype of a storage type, or nothing for a callable.
std::optional<TensorDtype> storage_dtype(PickleGlobal global);

using PickleId = uint32_t;

/// Values refer to each other by id and are never copied, so a pickle cannot blow itself up.
struct PickleValue {
  PickleKind kind = PickleKind::none;
  PickleGlobal global = PickleGlobal::ordered_dict;
  TensorDtype dtype = TensorDtype::f32;
  /// Integer or boolean; for a storage its number of elements; for a tensor its first element.
  int64_t number = 0;
  /// Text of a string, or key of a storage; points into the pickle.
  std::string_view text;
  /// Elements of a tuple or list; key, value, key, value... of a dict; the storage of a tensor.
  std::vector<PickleId> items;
  /// Only of a tensor.
  std::vector<uint64_t> shape;
};

}  // namespace eyrie
