#include "cpu/kv/kv_cache.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "cpu/kv/kv_layout.h"
#include "error.h"

namespace eyrie {

namespace {

struct HeadBlock {
  char* keys;
  char* values;
};

HeadBlock head_block(const AttentionShape& shape, const KvSlot& slot, int64_t head, int64_t block) {
  const int64_t bytes = kv_block_elements(stored_head_dim(shape.head_dim)) * static_cast<int64_t>(dtype_bytes(shape.cache_dtype));
  const int64_t at = (head * (slot.capacity / kKvBlock) + block) * bytes;
  return {static_cast<char*>(slot.keys) + at, static_cast<char*>(slot.values) + at};
}

void clear(const AttentionShape& shape, const HeadBlock& block) {
  const size_t bytes = static_cast<size_t>(kv_block_elements(stored_head_dim(shape.head_dim))) * dtype_bytes(shape.cache_dtype);
  std::memset(block.keys, 0, bytes);
  std::memset(block.values, 0, bytes);
}

// Calls visit(key element, value element) for each dim of one position.
template <class Element, class Visit>
void for_each_dim(const AttentionShape& shape, const HeadBlock& block, int64_t key, Visit visit) {
  const int64_t stored = stored_head_dim(shape.head_dim);
  Element* keys = reinterpret_cast<Element*>(block.keys);
  Element* values = reinterpret_cast<Element*>(block.values);
  for (int64_t d = 0; d < shape.head_dim; ++d) {
    if constexpr (sizeof(Element) == 4) {
      visit(d, keys[key_index_float(stored, key, d)], values[value_index_float(stored, key, d)]);
    } else {
      visit(d, keys[key_index_bf16(stored, key, d)], values[value_index_bf16(key, d)]);
    }
  }
}

void check(const AttentionShape& shape, const KvRows& s) {
  if (s.slot.capacity % kKvBlock != 0 || s.first_position < 0 || s.rows < 0 || s.first_position + s.rows > s.slot.capacity)
    throw Error(ErrorCode::invalid_request, "positions " + std::to_string(s.first_position) + " to " +
                                                std::to_string(s.first_position + s.rows) + " do not fit a slot of " +
                                                std::to_string(s.slot.capacity));
  if (shape.head_dim < 1 || shape.head_dim > kHeadDimMax)
    throw Error(ErrorCode::invalid_request,
                "head_dim is " + std::to_string(shape.head_dim) + "; allowed are 1 to " + std::to_string(kHeadDimMax));
}

}  // namespace

size_t kv_bytes(const AttentionShape& shape, int64_t capacity) {
  return static_cast<size_t>(shape.kv_heads * capacity * stored_head_dim(shape.head_dim)) * dtype_bytes(shape.cache_dtype);
}

void kv_append(const Compute& compute, const AttentionShape& shape, const float* k, const float* v, int64_t row_stride,
               const KvRows* sequences, int64_t count) {
  for (int64_t s = 0; s < count; ++s) check(shape, sequences[s]);
  compute.pool->parallel_for(count * shape.kv_heads, 2, [&](int64_t begin, int64_t end, int) {
    for (int64_t item = begin; item < end; ++item) {
      const KvRows& s = sequences[item / shape.kv_heads];
      const int64_t head = item % shape.kv_heads;
      for (int64_t i = 0; i < s.rows; ++i) {
        const int64_t position = s.first_position + i, key = position % kKvBlock;
        const HeadBlock block = head_block(shape, s.slot, head, position / kKvBlock);
        if (key == 0) clear(shape, block);
        const int64_t at = (s.first_row + i) * row_stride + head * shape.head_dim;
        if (shape.cache_dtype == DType::float32) {
          for_each_dim<float>(shape, block, key, [&](int64_t d, float& key_out, float& value_out) {
            key_out = k[at + d];
            value_out = v[at + d];
          });
        } else {
          for_each_dim<bf16>(shape, block, key, [&](int64_t d, bf16& key_out, bf16& value_out) {
            key_out = to_bf16(k[at + d]);
            value_out = to_bf16(v[at + d]);
          });
        }
      }
    }
  });
}

void kv_copy_prefix(const AttentionShape& shape, const KvSlot& from, const KvSlot& to, int64_t positions) {
  if (positions < 0 || positions > std::min(from.capacity, to.capacity))
    throw Error(ErrorCode::invalid_request, "a prefix of " + std::to_string(positions) + " positions does not fit both slots");
  const int64_t blocks = (positions + kKvBlock - 1) / kKvBlock, kept = positions % kKvBlock;
  const size_t bytes = static_cast<size_t>(blocks * kv_block_elements(stored_head_dim(shape.head_dim))) * dtype_bytes(shape.cache_dtype);
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const HeadBlock source = head_block(shape, from, head, 0), target = head_block(shape, to, head, 0);
    std::memcpy(target.keys, source.keys, bytes);
    std::memcpy(target.values, source.values, bytes);
    if (kept == 0) continue;
    const HeadBlock last = head_block(shape, to, head, blocks - 1);
    for (int64_t key = kept; key < kKvBlock; ++key) {
      if (shape.cache_dtype == DType::float32) {
        for_each_dim<float>(shape, last, key, [](int64_t, float& a, float& b) { a = b = 0; });
      } else {
        for_each_dim<bf16>(shape, last, key, [](int64_t, bf16& a, bf16& b) { a = b = bf16{0}; });
      }
    }
  }
}

void kv_read(const AttentionShape& shape, const KvSlot& slot, int64_t position, float* k, float* v) {
  for (int64_t head = 0; head < shape.kv_heads; ++head) {
    const HeadBlock block = head_block(shape, slot, head, position / kKvBlock);
    float* ko = k + head * shape.head_dim;
    float* vo = v + head * shape.head_dim;
    if (shape.cache_dtype == DType::float32) {
      for_each_dim<float>(shape, block, position % kKvBlock, [&](int64_t d, float& a, float& b) { ko[d] = a, vo[d] = b; });
    } else {
      for_each_dim<bf16>(shape, block, position % kKvBlock, [&](int64_t d, bf16& a, bf16& b) { ko[d] = to_float(a), vo[d] = to_float(b); });
    }
  }
}

}  // namespace eyrie
