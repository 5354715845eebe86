#pragma once
// The AMX tile registers: all eight as 16 rows of 64 bytes.

#include <immintrin.h>

#include <cstdint>

#include "numbers/bfloat16.h"
#ifdef EYRIE_EMULATED_TILES
#include "cpu/simd/emulated_tiles.h"
#endif

namespace eyrie::amx {

#ifndef EYRIE_EMULATED_TILES
/// Configures the tiles of this thread.
EYRIE_INLINE void configure_tiles() {
  struct alignas(64) {
    uint8_t palette = 1, start_row = 0, reserved[14] = {};
    uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  // gcc 12 declares _tile_loadconfig as reading only 8 of the 64 bytes and drops the stores to the others.
  asm volatile("ldtilecfg (%0)" ::"r"(&config) : "memory");
}

/// A thread with live tiles drags 8 KiB of state through every context switch: release them when the work is done.
EYRIE_INLINE void release_tiles() { _tile_release(); }
#endif

/// Both, for a scope. It costs some hundred cycles.
class TileScope {
 public:
  EYRIE_INLINE TileScope() { configure_tiles(); }
  EYRIE_INLINE ~TileScope() { release_tiles(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

}  // namespace eyrie::amx
