#pragma once
// The tile instructions that the kernels use, as plain code, for builds with EYRIE_EMULATED_TILES: the AMX kernels then run on
// any CPU with AVX-512, and the sanitizers see what they read and write, which they do not see of the instructions.
//
// One register file per thread, as in the CPU, of tiles of 16 rows and 64 bytes; using it unconfigured ends the process, as
// there. A sum takes the products of even and of odd k apart and denormals as they are, where the CPU takes them as zero.

#include <immintrin.h>

#include <cstdint>
#include <cstring>

#include "numbers/bfloat16.h"

namespace eyrie::amx {

struct TileFile {
  alignas(64) uint8_t bytes[8][16][64] = {};
  bool configured = false;

  uint8_t (&tile(int i))[16][64] {
    if (!configured) __builtin_trap();
    return bytes[i];
  }
};
inline thread_local TileFile tile_file;

inline void configure_tiles() { tile_file = {.configured = true}; }
inline void release_tiles() { tile_file.configured = false; }

inline void zero_tile(int tile) { std::memset(tile_file.tile(tile), 0, sizeof tile_file.bytes[tile]); }

inline void load_tile(int tile, const void* from, int64_t stride) {
  for (int row = 0; row < 16; ++row) std::memcpy(tile_file.tile(tile)[row], static_cast<const char*>(from) + row * stride, 64);
}

inline void store_tile(int tile, void* to, int64_t stride) {
  for (int row = 0; row < 16; ++row) std::memcpy(static_cast<char*>(to) + row * stride, tile_file.tile(tile)[row], 64);
}

/// sums[16][16] += rows[16][32 k] * columns[16 pairs of k][16][2].
inline void multiply_tiles(int sums, int rows, int columns) {
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  for (int m = 0; m < 16; ++m) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    for (int pair = 0; pair < 16; ++pair) {
      int32_t value;
      std::memcpy(&value, tile_file.tile(rows)[m] + pair * 4, 4);
      const __m512i x = _mm512_set1_epi32(value), w = _mm512_load_si512(tile_file.tile(columns)[pair]);
      even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)), _mm512_castsi512_ps(_mm512_slli_epi32(w, 16)), even);
      odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, upper)), _mm512_castsi512_ps(_mm512_and_si512(w, upper)), odd);
    }
    uint8_t* to = tile_file.tile(sums)[m];
    _mm512_store_ps(to, _mm512_add_ps(_mm512_load_ps(to), _mm512_add_ps(even, odd)));
  }
}

}  // namespace eyrie::amx

#undef _tile_zero
#undef _tile_loadd
#undef _tile_stored
#undef _tile_dpbf16ps
#define _tile_zero(tile) eyrie::amx::zero_tile(tile)
#define _tile_loadd(tile, from, stride) eyrie::amx::load_tile(tile, from, stride)
#define _tile_stored(tile, to, stride) eyrie::amx::store_tile(tile, to, stride)
#define _tile_dpbf16ps(sums, rows, columns) eyrie::amx::multiply_tiles(sums, rows, columns)
