#include "cpu/attention/attention.h"

#include <algorithm>
#include <string>
#include <vector>

#include "cpu/attention/attention_kernels.h"
#include "cpu/kv/kv_layout.h"
#include "error.h"

namespace eyrie {

namespace {

// A piece of work: enough (token, head) rows to read a block of keys for many of them, few enough to share out.
constexpr int64_t kRowsPerPiece = 64;
constexpr int64_t kHeadsPerPiece = 16;
constexpr int64_t kPiecesPerCall = 16;

struct Piece {
  const KvRows* sequence;
  int64_t first_token, tokens, kv_head, first_head, heads;  // first_head inside the group
};

std::vector<Piece> cut(const AttentionShape& shape, const KvRows* sequences, int64_t count) {
  const int64_t group = shape.q_heads / shape.kv_heads, heads = std::min(group, kHeadsPerPiece);
  const int64_t tokens = std::max<int64_t>(1, kRowsPerPiece / heads);
  std::vector<Piece> pieces;
  for (int64_t s = 0; s < count; ++s)
    for (int64_t kv_head = 0; kv_head < shape.kv_heads; ++kv_head)
      for (int64_t head = 0; head < group; head += heads)
        // The last tokens see the most keys: longest pieces first, so that the threads finish together.
        for (int64_t end = sequences[s].rows; end > 0; end -= std::min(end, tokens))
          pieces.push_back(
              {&sequences[s], std::max<int64_t>(0, end - tokens), std::min(end, tokens), kv_head, head, std::min(heads, group - head)});
  return pieces;
}

void check(const AttentionShape& shape, const KvRows* sequences, int64_t count) {
  const auto refuse = [](const std::string& what) { throw Error(ErrorCode::invalid_request, "attention: " + what); };
  if (shape.kv_heads < 1 || shape.q_heads < 1 || shape.q_heads % shape.kv_heads != 0)
    refuse(std::to_string(shape.q_heads) + " query heads do not divide among " + std::to_string(shape.kv_heads) + " KV heads");
  if (shape.head_dim < 1 || shape.head_dim > kHeadDimMax)
    refuse("head_dim is " + std::to_string(shape.head_dim) + "; allowed are 1 to " + std::to_string(kHeadDimMax));
  for (int64_t s = 0; s < count; ++s)
    if (sequences[s].first_position + sequences[s].rows > sequences[s].slot.capacity)
      refuse("sequence " + std::to_string(s) + " reaches past its slot of " + std::to_string(sequences[s].slot.capacity) + " positions");
}

}  // namespace

void attention(const Compute& compute, const AttentionShape& shape, const float* q, int64_t q_stride, const KvRows* sequences,
               int64_t count, void* out, DType out_dtype) {
  check(shape, sequences, count);
  const std::vector<Piece> pieces = cut(shape, sequences, count);
  const int64_t group = shape.q_heads / shape.kv_heads, out_stride = shape.q_heads * shape.head_dim;
  const int64_t block_bytes = kv_block_elements(stored_head_dim(shape.head_dim)) * static_cast<int64_t>(dtype_bytes(shape.cache_dtype));
  const AttentionKernel kernel = shape.cache_dtype == DType::float32 ? *compute.attention->float32 : *compute.attention->bfloat16;
  const auto task_of = [&](const Piece& p) {
    const KvRows& s = *p.sequence;
    const int64_t row = s.first_row + p.first_token, head = p.kv_head * group + p.first_head;
    const int64_t kv_at = p.kv_head * (s.slot.capacity / kKvBlock) * block_bytes;
    return AttentionTask{
        .q = q + row * q_stride + head * shape.head_dim,
        .q_stride = q_stride,
        .out = static_cast<char*>(out) + (row * out_stride + head * shape.head_dim) * static_cast<int64_t>(dtype_bytes(out_dtype)),
        .out_stride = out_stride,
        .out_dtype = out_dtype,
        .keys = static_cast<const char*>(s.slot.keys) + kv_at,
        .values = static_cast<const char*>(s.slot.values) + kv_at,
        .tokens = p.tokens,
        .heads = p.heads,
        .head_dim = shape.head_dim,
        .first_position = s.first_position + p.first_token,
        .scale = shape.scale,
        .alibi_slopes = shape.alibi_slopes == nullptr ? nullptr : shape.alibi_slopes + head,
    };
  };
  const int64_t total = static_cast<int64_t>(pieces.size());
  const int64_t grain = std::clamp(total / (compute.pool->size() * 8), int64_t{1}, kPiecesPerCall);
  compute.pool->parallel_for(total, grain, [&](int64_t begin, int64_t end, int) {
    AttentionTask tasks[kPiecesPerCall];
    for (int64_t i = begin; i < end; ++i) tasks[i - begin] = task_of(pieces[static_cast<size_t>(i)]);
    kernel(tasks, end - begin);
  });
}

}  // namespace eyrie
