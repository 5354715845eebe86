#pragma once
// The matrix products of a model on one card, and in which form each takes its rows.

#include <cstdint>
#include <vector>

#include "cuda/gemm.h"
#include "cuda/kernels/attention.h"
#include "cuda/weights.h"
#include "model/falcon_config.h"

namespace eyrie::cuda {

/// Places in the shapes that the Gemm is opened with.
enum Product : int { kQkv, kDense, kUp, kDown, kHead, kProducts };

/// Of this rank. e4m3: dense and down, whose inputs vary most and whose sums are long, add every product in float32; qkv and up take the
/// faster sums of the card. head_rows_max: rows that get logits at a time.
std::vector<GemmShape> gemm_shapes(const FalconConfig& config, const LayerFormats& formats, const RankShare& share, uint32_t head_rows_max);

/// The heads of this rank.
AttentionShape attention_shape(const FalconConfig& config, const RankShare& share);

/// Throws unsupported_device for a form of model that the kernels do not have, naming the field, its value, what is allowed and what to do.
void check_model_form(const FalconConfig& config, const RankShare& share);
/// Likewise for a card.
void check_card(const DeviceInfo& card, const LayerFormats& formats);
/// Whether cuBLASLt multiplies e4m3 with a scale per row on it. Cards of 8.9, 10.0 and 12.0 have the arithmetic, but cuBLASLt 13 has
/// these scales (CUBLASLT_MATMUL_MATRIX_SCALE_OUTER_VEC_32F) for 9.x alone.
bool has_fp8(const DeviceInfo& card);

constexpr size_t format_bytes(RowFormat format) { return format == RowFormat::bf16 ? 2 : 1; }
const char* format_name(RowFormat format);

}  // namespace eyrie::cuda
