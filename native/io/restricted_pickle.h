#pragma once
// A pickle reader that can only describe tensors. Nothing is executed: the few callables a PyTorch state dict names are
// recognised by spelling and turned into descriptions, every other one is an error that names it.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/tensor_info.h"

namespace eyrie {

/// One entry of a state dict, still relative to its storage.
struct PickledTensor {
  std::string name;
  TensorDtype dtype = TensorDtype::f32;
  std::vector<uint64_t> shape;
  /// The storage's file name under `data/`.
  std::string storage_key;
  uint64_t storage_elements = 0;
  /// First element within the storage; offset + product(shape) <= storage_elements.
  uint64_t element_offset = 0;
};

/// Reads a protocol-2 pickle of a dict from names to tensors or parameters, in the dict's order. `file` names it in errors
/// (model_invalid): a forbidden opcode or global, a tensor that is not row-major or leaves its storage, a bound of
/// io/bounds.h exceeded, anything malformed.
std::vector<PickledTensor> read_state_dict_pickle(std::span<const std::byte> pickle, const std::string& file);

}  // namespace eyrie
