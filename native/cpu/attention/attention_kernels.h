#pragma once
// The per-level attention kernel: one piece of work.

#include <cstdint>

#include "cpu/attention/attention.h"
#include "cpu/isa.h"

namespace eyrie {

/// `tokens` consecutive rows of one sequence times `heads` query heads that share one KV head. A row of work is one
/// (token, head) pair; token t attends to positions 0 .. first_position + t.
struct AttentionTask {
  const float* q;  ///< of the first token and head; tokens are q_stride apart, heads head_dim
  int64_t q_stride;
  void* out;  ///< likewise, tokens out_stride elements apart
  int64_t out_stride;
  DType out_dtype;
  const void* keys;  ///< blocks of the KV head
  const void* values;
  int64_t tokens;
  int64_t heads;
  int64_t head_dim;
  int64_t first_position;
  float scale;
  const float* alibi_slopes;  ///< of the first head, or null
};

/// Several pieces, so that a level can set up its registers once for all of them.
using AttentionKernel = void (*)(const AttentionTask* tasks, int64_t count);

/// By cache type; a level may use the kernel of a lower one.
struct AttentionKernels {
  AttentionKernel const* float32;
  AttentionKernel const* bfloat16;
};

const AttentionKernels& attention_kernels(Isa isa);

}  // namespace eyrie
