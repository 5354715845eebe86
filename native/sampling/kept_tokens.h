#pragma once
// Cutting the vocabulary down to the best tokens, without sorting it.

#include <cstdint>

#include "cpu/vector/vector_kernels.h"
#include "sampling/sample.h"

namespace eyrie {

/// Fills scratch.ids, .logits and .weights with the tokens whose logit is at least best - distance, ascending ids.
void collect_tokens(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float distance, SampleScratch& scratch);

/// The `k` best tokens of the vocabulary; equal logits: lowest ids first.
void keep_top_k(const VectorKernels& kernels, const float* z, int64_t vocab, float best, int64_t k, SampleScratch& scratch);

/// The smallest set of best tokens whose weight reaches p times the total, the crossing token included; equal logits:
/// lowest ids first. Of those in `scratch` if `among_kept`, else of the vocabulary.
void keep_top_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, double p, bool among_kept, SampleScratch& scratch);

/// The tokens of weight at least p (the best has weight 1), likewise.
void keep_min_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& scratch);

}  // namespace eyrie
