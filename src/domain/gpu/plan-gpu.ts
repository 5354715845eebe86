import type { FalconShape } from '../falcon-shape.js';
import { kvBytesPerToken, weightBytesOnCard, type CardForm } from '../model-memory.js';
import { bufferBytesOnCard, kvPageTokens, pagesOf } from './card-buffers.js';
import type { GpuCard } from './cards.js';

const mebibyte = 2 ** 20;

/**
 * What of a card in a data sheet an engine may count on: driver, error correction, CUDA's context and fragments take the rest. A careful
 * assumption, so that a worker, which asks its card what is free, finds room for what was planned and not less.
 */
const usableShare = 0.952;
const contextBytes = 1600 * mebibyte;
/** Of cuBLASLt; left for graphs, loading and fragments; and for NCCL where several cards share a model: native/cuda/card_plan.h. */
const workspaceBytes = 32 * mebibyte;
const reserveBytes = 512 * mebibyte;
const groupReserveBytes = 1024 * mebibyte;

/** Sequences decoded together: more rows than this gain little on any card here (the products are then bound by arithmetic). */
export const batchRowsMax = 256;
/** Token budget of a prefill pack. */
export const cardPrefillTokens = 512;
/** A pass has room for a chunk of a prompt, however small the budget: native/engine/scheduler.h. */
const chunkTokens = 64;

/** What an engine may count on of a card that nothing else uses, by the data sheet. */
export const freeBytesOf = ({ memoryBytes }: GpuCard): number => Math.floor(usableShare * memoryBytes) - contextBytes;

export interface GpuPlan {
  /** All figures are of one card. */
  readonly weightBytes: number;
  /** Of a pass, of the slots, of the sampler. */
  readonly bufferBytes: number;
  readonly workspaceBytes: number;
  /** Left free on purpose. */
  readonly reserveBytes: number;
  /** Of keys and values: what there is room for, and what an engine takes of it, which is at most what all its slots can use. */
  readonly pageBytes: number;
  readonly roomPages: number;
  readonly kvPages: number;
  /** Sequences decoded together. */
  readonly slots: number;
  /** Sequences of the model's full context that there is room for. */
  readonly fullSequences: number;
}

export interface GpuPlanOptions extends CardForm {
  /** Prompt and completion of a typical sequence. */
  readonly tokensPerSequence: number;
  /** null: as many as find pages when each takes `tokensPerSequence`, at most `batchRowsMax`. */
  readonly slots?: number | null;
  readonly prefillTokens?: number;
}

/** What fits a card that has `freeBytes`; null when the weights, or not even one sequence of the full context, fit. */
export function planGpu(shape: FalconShape, freeBytes: number, options: GpuPlanOptions): GpuPlan | null {
  const { tokensPerSequence, slots = null } = options;
  if (slots !== null) return planOfSlots(shape, freeBytes, slots, options);
  // More slots take more buffers and so leave fewer pages.
  for (let tried = batchRowsMax; tried >= 1; tried--) {
    const plan = planOfSlots(shape, freeBytes, tried, options);
    if (plan !== null && plan.kvPages >= tried * pagesOf(tokensPerSequence)) return plan;
  }
  return null;
}

function planOfSlots(shape: FalconShape, freeBytes: number, slots: number, options: GpuPlanOptions): GpuPlan | null {
  const { tensorParallel, prefillTokens = cardPrefillTokens } = options;
  const slotTokens = shape.contextTokens;
  const weightBytes = weightBytesOnCard(shape, options);
  const passRows = slots + Math.max(prefillTokens, chunkTokens);
  const bufferBytes = bufferBytesOnCard(shape, options, { slots, slotTokens, passRows });
  const reserved = reserveBytes + (tensorParallel > 1 ? groupReserveBytes : 0);
  const pageBytes = (kvBytesPerToken(shape) * kvPageTokens) / tensorParallel;
  const roomPages = Math.floor((freeBytes - weightBytes - bufferBytes - workspaceBytes - reserved) / pageBytes);
  const fullSequences = Math.floor(roomPages / pagesOf(slotTokens));
  if (fullSequences < 1) return null;
  return {
    weightBytes,
    bufferBytes,
    workspaceBytes,
    reserveBytes: reserved,
    pageBytes,
    roomPages,
    kvPages: Math.min(roomPages, slots * pagesOf(slotTokens)),
    slots,
    fullSequences,
  };
}
