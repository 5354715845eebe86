#pragma once
// Marks of functions that two compilers translate: g++ for the CPU (and for the emulated card), nvcc for both of its sides.

#ifdef __CUDACC__
/// A function of the host and of the card.
#define EYRIE_HD __host__ __device__
#else
#define EYRIE_HD
#endif

/// Always inlined: a shared out-of-line copy could come from a file compiled for a newer CPU than the one at hand.
#define EYRIE_INLINE EYRIE_HD inline __attribute__((always_inline))
