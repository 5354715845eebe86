#pragma once
// The checks by file. What each must show stands above its definition.

#include "gpu/check_registry.h"

namespace eyrie::gpu {

// device_checks.cc
void check_device_copies(const CheckContext& context, Reporter& reporter);
void check_graph_replay(const CheckContext& context, Reporter& reporter);

// number_checks.cc
void check_numbers(const CheckContext& context, Reporter& reporter);

// tile_checks.cc
void check_tile_products(const CheckContext& context, Reporter& reporter);

}  // namespace eyrie::gpu
