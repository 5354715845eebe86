#include <immintrin.h>

#include "cpu/lab/issue_loop.h"
#include "cpu/lab/issue_rate.h"

namespace eyrie {

EYRIE_ISSUE_LOOP(issue_fma_avx512, "vfmadd231ps", "zmm")

uint64_t read_all_avx512(const void* p, int64_t bytes) {
  const char* at = static_cast<const char*>(p);
  __m512i seen[4] = {};
  constexpr int64_t kVector = sizeof(__m512i);
  for (int64_t i = 0; i < bytes; i += 4 * kVector) {
    for (int j = 0; j < 4; ++j)
      seen[j] = _mm512_xor_si512(seen[j], _mm512_loadu_si512(reinterpret_cast<const __m512i*>(at + i + j * kVector)));
    for (int64_t line = 0; line < 4 * kVector; line += 64) _mm_prefetch(at + i + line + 4096, _MM_HINT_T0);
  }
  const __m512i all = _mm512_xor_si512(_mm512_xor_si512(seen[0], seen[1]), _mm512_xor_si512(seen[2], seen[3]));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(all)));
}

}  // namespace eyrie
