#pragma once
// Loops of nothing but one multiply instruction on independent registers, one per level. Each runs `rounds` rounds.

#include <cstdint>

namespace eyrie {

/// Operations of one round, a multiply-add counted as two.
constexpr double kFmaOpsAvx2 = 12 * 16, kFmaOpsAvx512 = 12 * 32, kPairOpsAvx512 = 12 * 64, kQuadOpsAvx512 = 12 * 128;
constexpr double kTileOpsBfloat16 = 4 * 2 * 16 * 16 * 32, kTileOpsInt8 = 2 * kTileOpsBfloat16;

void issue_fma_avx2(int64_t rounds);
void issue_fma_avx512(int64_t rounds);
void issue_dpbf16(int64_t rounds);
void issue_dpbusd(int64_t rounds);
void issue_tile_bf16(int64_t rounds);
void issue_tile_int8(int64_t rounds);

/// Reads `bytes` (a multiple of 256) once; returns something that depends on all of them.
uint64_t read_all_avx512(const void* p, int64_t bytes);
uint64_t read_all_avx2(const void* p, int64_t bytes);

}  // namespace eyrie
