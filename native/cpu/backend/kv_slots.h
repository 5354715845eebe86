#pragma once
// Keys and values of all slots in all layers: one allocation, made when the engine opens.

#include <cstdint>

#include "cpu/huge_buffer.h"
#include "cpu/kv/kv_cache.h"
#include "model/falcon_config.h"

namespace eyrie {

class KvSlots {
 public:
  /// `slot_tokens` positions per slot, rounded up to whole blocks. Throws out_of_memory.
  KvSlots(const AttentionShape& shape, uint32_t layers, uint32_t slots, uint32_t slot_tokens);

  KvSlot at(uint32_t layer, uint32_t slot) const;
  uint64_t bytes() const { return memory_.size(); }

  /// Copies the first `tokens` positions in all layers, layers in parallel.
  void copy_prefix(const Compute& compute, uint32_t from, uint32_t to, uint32_t tokens) const;

 private:
  AttentionShape shape_;
  uint32_t layers_;
  uint32_t slots_;
  int64_t capacity_;
  size_t side_bytes_;  // of the keys, and again of the values, of one slot in one layer
  HugeBuffer memory_;  // [layer][slot][keys | values]
};

}  // namespace eyrie
