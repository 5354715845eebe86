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

// rows/
void check_add_norm(const CheckContext& context, Reporter& reporter);
void check_gelu(const CheckContext& context, Reporter& reporter);
void check_quantise(const CheckContext& context, Reporter& reporter);
void check_embed(const CheckContext& context, Reporter& reporter);
void check_scale_sums(const CheckContext& context, Reporter& reporter);

// attention/
void check_rotate_and_append(const CheckContext& context, Reporter& reporter);
void check_attention(const CheckContext& context, Reporter& reporter);
void check_attention_bytes(const CheckContext& context, Reporter& reporter);
void check_copy_prefix(const CheckContext& context, Reporter& reporter);

// sampler/
void check_sampler(const CheckContext& context, Reporter& reporter);

// model/
void check_gemm(const CheckContext& context, Reporter& reporter);
void check_weights(const CheckContext& context, Reporter& reporter);
void check_model_crowd(const CheckContext& context, Reporter& reporter);
void check_model_graphs(const CheckContext& context, Reporter& reporter);

}  // namespace eyrie::gpu
