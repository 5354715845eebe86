import type { FalconShape } from '../falcon-shape.js';
import { kvBytesPerToken, weightBytesOnCard, type CardWeights } from '../model-memory.js';

/** Positions of one page of the cache: native/cuda/kernels/pass.h. */
export const kvPageTokens = 256;

// Weights and pages are counted as native/cuda/card_plan.h counts them. That knows the buffers of an engine and the memory that is free, and
// leaves less: some 0.9 GiB beside the weights of the 40B where the shares below leave 6 GiB of 80.

/** Left to the driver, the context, the libraries' own memory and fragments. */
const usableShare = 0.952;
/** Activations of the largest pass, logits, workspace of the products, captured graphs. */
const workspaceBytes = 2560 * 2 ** 20;

/** Sequences decoded together: more rows than this gain little on any card here (the products are then bound by arithmetic). */
export const batchRowsMax = 256;

export interface GpuPlan {
  /** All figures are of one card. */
  readonly weightBytes: number;
  readonly workspaceBytes: number;
  readonly kvBytes: number;
  readonly kvPages: number;
  readonly kvTokens: number;
  /** Sequences decoded together: what the pages hold when each takes `tokensPerSequence`, at most `batchRowsMax`. */
  readonly slots: number;
  /** Sequences of the model's full context that the pages hold. */
  readonly fullSequences: number;
}

export interface GpuPlanOptions {
  readonly weights: CardWeights;
  /** Cards that share one model. */
  readonly tensorParallel: number;
  /** Prompt and completion of a typical sequence. */
  readonly tokensPerSequence: number;
}

/** What fits a card of `memoryBytes`; null when the weights, or not even one sequence of the full context, fit. */
export function planGpu(shape: FalconShape, memoryBytes: number, options: GpuPlanOptions): GpuPlan | null {
  const { weights, tensorParallel, tokensPerSequence } = options;
  const held = weightBytesOnCard(shape, weights, tensorParallel);
  const pageBytes = (kvBytesPerToken(shape) * kvPageTokens) / tensorParallel;
  const kvPages = Math.floor((usableShare * memoryBytes - workspaceBytes - held) / pageBytes);
  const fullSequences = Math.floor(kvPages / pagesOf(shape.contextTokens));
  if (fullSequences < 1) return null;
  return {
    weightBytes: held,
    workspaceBytes,
    kvBytes: kvPages * pageBytes,
    kvPages,
    kvTokens: kvPages * kvPageTokens,
    slots: Math.min(batchRowsMax, Math.floor(kvPages / pagesOf(tokensPerSequence))),
    fullSequences,
  };
}

const pagesOf = (tokens: number): number => Math.ceil(tokens / kvPageTokens);
