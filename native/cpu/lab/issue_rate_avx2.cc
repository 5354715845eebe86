#include <immintrin.h>

#include "cpu/lab/issue_loop.h"
#include "cpu/lab/issue_rate.h"

namespace eyrie {

EYRIE_ISSUE_LOOP(issue_fma_avx2, "vfmadd231ps", "ymm")

uint64_t read_all_avx2(const void* p, int64_t bytes) {
  const char* at = static_cast<const char*>(p);
  __m256i seen[4] = {};
  constexpr int64_t kVector = sizeof(__m256i);
  for (int64_t i = 0; i < bytes; i += 4 * kVector) {
    for (int j = 0; j < 4; ++j)
      seen[j] = _mm256_xor_si256(seen[j], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + i + j * kVector)));
    for (int64_t line = 0; line < 4 * kVector; line += 64) _mm_prefetch(at + i + line + 4096, _MM_HINT_T0);
  }
  const __m256i all = _mm256_xor_si256(_mm256_xor_si256(seen[0], seen[1]), _mm256_xor_si256(seen[2], seen[3]));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm256_castsi256_si128(all)));
}

}  // namespace eyrie
