#pragma once
// What the kernels of a pass are told about its rows and about the paged cache. All pointers are to device memory whose addresses
// stay the same from pass to pass, so that a captured graph can be replayed.

#include <cstdint>

#include "numbers/hd.h"

namespace eyrie::cuda {

/// Positions of one page. A page is also the unit in which attention splits its keys, so that one load of the page table serves a
/// whole block of threads.
inline constexpr int kPageTokens = 256;

/// The rows of a pass. A row with position -1 is padding: it reads and writes nothing that others see.
struct PassRows {
  int rows = 0;
  const int32_t* tokens = nullptr;     // [rows] ids, or kDrawn
  const int32_t* positions = nullptr;  // [rows]
  const int32_t* slots = nullptr;      // [rows]
};

/// Keys and values: [layer][page][kv head][K: kPageTokens x head_dim | V: kPageTokens x head_dim] bfloat16.
struct PagedCache {
  void* memory = nullptr;
  const int32_t* page_table = nullptr;  // [slots][pages_per_slot] numbers of pages; -1: none
  int pages = 0;
  int pages_per_slot = 0;
  int kv_heads = 0;  // of this rank
  int head_dim = 0;

  EYRIE_HD int64_t page_values() const { return int64_t{2} * kv_heads * kPageTokens * head_dim; }
  EYRIE_HD int64_t layer_values() const { return pages * page_values(); }
};

/// The form in which a kernel writes rows that a matrix product reads next.
enum class RowFormat : uint8_t {
  bf16,  ///< no scales
  e4m3,  ///< value * scale[row]; scale = largest |value| / 448, 1 for a row of zeros
  int8,  ///< likewise, largest |value| / 127
};

struct RowsOut {
  RowFormat format = RowFormat::bf16;
  void* values = nullptr;   // [rows, width]
  float* scales = nullptr;  // [rows]; null for bf16
};

}  // namespace eyrie::cuda
