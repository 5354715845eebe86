#include <algorithm>
#include <string>

#include "cuda/kernels/attention/parts.h"
#include "error.h"

namespace eyrie::cuda {

namespace {

constexpr int kGridMax = 65535;  // blocks of threads in y and z

void check(bool holds, const std::string& what) {
  if (!holds) throw Error(ErrorCode::internal_error, "attention on the card: " + what);
}

void check_call(const AttentionShape& shape, const PagedCache& cache, int layer, const AttentionPlan& plan, const RowsOut& out) {
  check(shape.head_dim == 64 || shape.head_dim == 128,
        "head_dim is " + std::to_string(shape.head_dim) + "; the kernels are for 64 and 128");
  check(shape.kv_heads >= 1 && shape.query_heads >= shape.kv_heads && shape.query_heads % shape.kv_heads == 0,
        std::to_string(shape.query_heads) + " query heads, " + std::to_string(shape.kv_heads) +
            " KV heads; the first must be a multiple of the second");
  check(cache.head_dim == shape.head_dim && cache.kv_heads == shape.kv_heads,
        "the cache is of " + std::to_string(cache.kv_heads) + " heads of " + std::to_string(cache.head_dim) + ", the model of " +
            std::to_string(shape.kv_heads) + " of " + std::to_string(shape.head_dim));
  check(layer >= 0, "layer is " + std::to_string(layer));
  check(plan.single_rows == 0 || (plan.splits_max >= 1 && plan.splits_max <= kGridMax),
        "splits_max is " + std::to_string(plan.splits_max) + "; with single rows it must be 1 to " + std::to_string(kGridMax));
  check(plan.single_rows >= 0 && plan.single_rows <= kGridMax,
        "single_rows is " + std::to_string(plan.single_rows) + "; allowed are 0 to " + std::to_string(kGridMax));
  check(plan.tiles >= 0 && plan.tiles <= kGridMax,
        "tiles is " + std::to_string(plan.tiles) + "; allowed are 0 to " + std::to_string(kGridMax));
  check(out.format == RowFormat::bf16 || out.scales != nullptr, "rows in 8 bits need a place for their scales");
}

int64_t softmax_values(const AttentionShape& shape, int single_rows, int splits_max) {
  return int64_t{2} * single_rows * shape.query_heads * splits_max;
}

}  // namespace

size_t attention_scratch_bytes(const AttentionShape& shape, int single_rows, int splits_max) {
  // The values start at a multiple of 16 bytes, where the maxima and sums end.
  const int64_t softmax = (softmax_values(shape, single_rows, splits_max) + 3) / 4 * 4;
  return sizeof(float) * static_cast<size_t>(softmax + int64_t{single_rows} * shape.query_heads * splits_max * shape.head_dim);
}

void attend(Stream& stream, const PassRows& pass, const AttentionShape& shape, bf16* qkv, const PagedCache& cache, int layer,
            const AttentionPlan& plan, void* scratch, const RowsOut& out) {
  check_call(shape, cache, layer, plan, out);
  attention::Call call{.pass = pass, .shape = shape, .cache = cache, .layer = layer, .qkv = qkv};
  if (plan.single_rows > 0) {
    call.softmax = static_cast<float*>(scratch);
    call.values = call.softmax + (softmax_values(shape, plan.single_rows, plan.splits_max) + 3) / 4 * 4;
    attention::attend_single_rows(stream, call, plan);
    attention::finish_single_rows(stream, call, plan, out);
  }
  if (plan.tiles > 0) {
    const int64_t values = int64_t{shape.query_heads} * shape.head_dim;
    if (out.format == RowFormat::bf16) {
      attention::attend_tiles(stream, call, plan, static_cast<bf16*>(out.values), values);
    } else {
      attention::attend_tiles(stream, call, plan, qkv, values + int64_t{2} * shape.kv_heads * shape.head_dim);
      attention::quantise_tile_rows(stream, call, plan, out);
    }
  }
}

}  // namespace eyrie::cuda
