#pragma once
#include <cstdint>

#include "cpu/compute.h"
#include "cpu/kv/kv_cache.h"
#include "numbers/dtype.h"

namespace eyrie {

/// Causal attention of new rows over their own slot; kv_append() must have written these rows already.
/// A row at position p attends to positions 0..p of its slot. One function serves prefill (many rows of a sequence),
/// chunked prefill and decode (one row), and a row's bytes are the same in all of them: keys are taken in blocks of
/// kAttentionBlock from position 0 on with an online softmax, whoever the neighbours and however many the threads.
///
/// q: float32, row r at q + r * q_stride, [q_heads, head_dim] in it. out: [m, q_heads * head_dim], dense, of type
/// `out_dtype` (float32 or bfloat16), row r belonging to row r of q. Rows that no sequence names are left alone.
void attention(const Compute& compute, const AttentionShape& shape, const float* q, int64_t q_stride, const KvRows* sequences,
               int64_t count, void* out, DType out_dtype);

constexpr int64_t kAttentionBlock = 128;

}  // namespace eyrie
