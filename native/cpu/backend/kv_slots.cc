#include "cpu/backend/kv_slots.h"

#include <sys/mman.h>

#include "error.h"

namespace eyrie {

namespace {

size_t total_bytes(size_t layers, size_t slots, size_t side_bytes) {
  size_t total = 0;
  if (__builtin_mul_overflow(layers * slots * 2, side_bytes, &total)) {
    throw Error(ErrorCode::out_of_memory, "the KV cache would not fit any address space; use fewer slots");
  }
  return total;
}

}  // namespace

KvSlots::KvSlots(const AttentionShape& shape, uint32_t layers, uint32_t slots, uint32_t slot_tokens)
    : shape_(shape),
      layers_(layers),
      slots_(slots),
      capacity_((int64_t{slot_tokens} + kKvBlock - 1) / kKvBlock * kKvBlock),
      // Each side starts on a cache line.
      side_bytes_((kv_bytes(shape, capacity_) + 63) / 64 * 64),
      memory_(total_bytes(layers, slots, side_bytes_)) {
  // Most sequences fill a small part of their slot. With huge pages the first token of each would take memory for all of it, and
  // clearing that costs more than the better reach of the TLB brings: 7 % of a run over 64 short lines.
  ::madvise(memory_.data(), memory_.size(), MADV_NOHUGEPAGE);
}

KvSlot KvSlots::at(uint32_t layer, uint32_t slot) const {
  std::byte* keys = memory_.as<std::byte>() + (size_t{layer} * slots_ + slot) * 2 * side_bytes_;
  return {keys, keys + side_bytes_, capacity_};
}

void KvSlots::copy_prefix(const Compute& compute, uint32_t from, uint32_t to, uint32_t tokens) const {
  compute.pool->parallel_for(layers_, 1, [&](int64_t layer, int64_t, int) {
    const auto index = static_cast<uint32_t>(layer);
    kv_copy_prefix(shape_, at(index, from), at(index, to), tokens);
  });
}

}  // namespace eyrie
