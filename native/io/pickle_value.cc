#include "io/pickle_value.h"

namespace eyrie {

namespace {

struct KnownGlobal {
  std::string_view module;
  std::string_view name;
  PickleGlobal global;
};

constexpr std::array<KnownGlobal, 6> kKnownGlobals = {{
    {"collections", "OrderedDict", PickleGlobal::ordered_dict},
    {"torch._utils", "_rebuild_tensor_v2", PickleGlobal::rebuild_tensor},
    {"torch._utils", "_rebuild_parameter", PickleGlobal::rebuild_parameter},
    {"torch", "BFloat16Storage", PickleGlobal::bf16_storage},
    {"torch", "HalfStorage", PickleGlobal::f16_storage},
    {"torch", "FloatStorage", PickleGlobal::f32_storage},
}};

}  // namespace

std::optional<PickleGlobal> find_pickle_global(std::string_view module, std::string_view name) {
  for (const KnownGlobal& known : kKnownGlobals) {
    if (known.module == module && known.name == name) return known.global;
  }
  return std::nullopt;
}

std::optional<TensorDtype> storage_dtype(PickleGlobal global) {
  switch (global) {
    case PickleGlobal::bf16_storage: return TensorDtype::bf16;
    case PickleGlobal::f16_storage: return TensorDtype::f16;
    case PickleGlobal::f32_storage: return TensorDtype::f32;
    default: return std::nullopt;
  }
}

}  // namespace eyrie
