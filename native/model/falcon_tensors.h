#pragma once
// Which tensors a Falcon of a given config consists of, found in a checkpoint and checked: by name, shape and dtype, nothing
// missing, nothing left over.

#include <cstdint>
#include <vector>

#include "io/checkpoint.h"
#include "model/falcon_config.h"

namespace eyrie {

enum class TensorRole : uint8_t {
  embedding,
  matrix,  ///< a linear layer
  vector,  ///< weight or bias of a norm, bias of a linear layer
  head,
  spare_head,  ///< stored although the head is tied: the embedding is used instead
  zero_bias,   ///< bias of a linear layer in a model without them: must be zero
};

struct FalconTensor {
  const TensorInfo* tensor = nullptr;
  TensorRole role = TensorRole::vector;
  /// Of a matrix or head in 8 bits (dtype I8 or F8_E4M3): its [rows] float32 scales, stored as `NAME_scale`. Else null.
  const TensorInfo* scales = nullptr;
};

/// In the order of the model: embedding, layers from first to last, final norm, head, then what is not used. A tied model with
/// 8-bit weights has a head of role `head`: its embedding in 8 bits, as `eyrie model convert` writes it.
/// Throws model_invalid for a missing tensor, a wrong shape, a dtype other than BF16, F16, F32 (or I8, F8_E4M3 with scales), or a tensor
/// that the config has no place for.
std::vector<FalconTensor> match_falcon_tensors(const Checkpoint& checkpoint, const FalconConfig& config);

}  // namespace eyrie
