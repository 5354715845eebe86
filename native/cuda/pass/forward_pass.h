#pragma once
// The layers of a pass on one card, as kernels in a stream: nine launches a layer and no wait. What is launched depends on the PassShape
// alone, and all addresses stay the same, so that a graph captured of one pass stands for every pass of that shape.

#include <cstdint>

#include "cuda/device.h"
#include "cuda/gemm.h"
#include "cuda/kernels/attention.h"
#include "cuda/kernels/rows.h"
#include "cuda/pass/model_shape.h"
#include "cuda/pass/pass_buffers.h"
#include "cuda/pass/pass_inputs.h"
#include "cuda/ranks/rank_group.h"
#include "cuda/weights.h"
#include "model/falcon_config.h"

namespace eyrie::cuda {

/// All that a pass reads and writes; must outlive the ForwardPass.
struct PassContext {
  const FalconConfig& config;
  const Weights& weights;
  Gemm& gemm;
  const PassInputs& inputs;
  PassBuffers& buffers;
  PagedCache cache;
  AttentionShape attention;
  const float* cos_sin = nullptr;  // device [slot tokens][head_dim]
  const int32_t* drawn = nullptr;  // device [slots]
  int head_rows_max = 0;
  RankGroup* group = nullptr;  // null: one card has it all
};

class ForwardPass {
 public:
  explicit ForwardPass(const PassContext& context) : context_(context) {}

  /// Embedding to final norm, and the logits of the first head_rows_max head rows; of a part of a model, what it has of these.
  void run(Stream& stream, const PassShape& shape);
  /// Logits of head rows [first, first + count) of the pass that ran last.
  void head(Stream& stream, int first, int count);
  /// Matrix products of a pass, the padding left out.
  uint64_t multiply_adds(uint64_t rows, uint64_t head_rows) const;

 private:
  void layer(Stream& stream, const PassShape& shape, int index);
  void add_partials_to(AddNorm& call) const;
  AddNorm norm_of(int rows) const;
  void add_and_norm(Stream& stream, const PassShape& shape, int index);
  void multiply(Stream& stream, Product product, const Matrix& w, int rows, const RowsOut& x, void* y);
  void final_norm(Stream& stream, const PassShape& shape);
  void add_last_partials(Stream& stream, const PassShape& shape);

  PassContext context_;
};

}  // namespace eyrie::cuda
