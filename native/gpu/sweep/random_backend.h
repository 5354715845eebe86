#pragma once
// A model without a checkpoint: weights made on the card.

#include <cstdint>
#include <memory>

#include "engine/backend.h"
#include "model/falcon_config.h"
#include "numbers/dtype.h"

namespace eyrie::gpu {

struct RandomModel {
  FalconConfig config;
  DType dtype = DType::fp8;  ///< of the layers: bfloat16, fp8 or int8
  uint32_t slots = 0;
  uint32_t slot_tokens = 0;
  uint32_t rows_max = 0;  ///< of the largest pass
  uint64_t seed = 0;
};

/// Throws unsupported_device and out_of_memory as the backend does. Writes an item for each matrix product about the algorithms chosen
/// ("choice"), and one about the seconds that this and the memory took, and the weights ("opened").
std::unique_ptr<Backend> open_random_backend(int ordinal, const RandomModel& model);

}  // namespace eyrie::gpu
