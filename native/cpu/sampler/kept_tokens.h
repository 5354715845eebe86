#pragma once
// Cutting the vocabulary down to the best tokens, without sorting it. Tokens without mass may be among those that are left or not:
// they are never drawn.

#include <cstdint>

#include "cpu/sampler/sample.h"
#include "cpu/vector/vector_kernels.h"

namespace eyrie {

/// Fills scratch.ids, .logits and .masses with the tokens whose logit is at least best - distance, ascending ids.
void collect_tokens(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float distance, SampleScratch& scratch);

/// scratch.masses of scratch.weights.
void to_masses(SampleScratch& scratch);

/// The `k` best tokens of the vocabulary; equal logits: lowest ids first.
void keep_top_k(const VectorKernels& kernels, const float* z, int64_t vocab, float best, int64_t k, SampleScratch& scratch);

/// The smallest set of best tokens whose masses reach top_p_limit(p, total), the crossing token included; equal logits:
/// lowest ids first. Of those in `scratch` if `among_kept`, else of the vocabulary.
void keep_top_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& scratch);

/// The tokens of mass at least mass_of(p), likewise.
void keep_min_p(const VectorKernels& kernels, const float* z, int64_t vocab, float best, float p, bool among_kept, SampleScratch& scratch);

}  // namespace eyrie
