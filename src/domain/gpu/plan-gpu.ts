import type { FalconShape } from '../falcon-shape.js';
import { kvBytesPerToken, weightBytesOnCard, type CardForm } from '../model-memory.js';
import { bufferBytesOnCard, kvPageTokens, pagesOf } from './card-buffers.js';
import type { GpuCard } from './cards.js';

const mebibyte = 2 ** 20;

/** Taken by the driver and CUDA's context before anything is allocated. An assumption: with a card at hand its free bytes are asked for. */
const driverBytes = 1280 * mebibyte;
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

/** What an engine finds free on a card that nothing else uses, by the data sheet. */
export const freeBytesOf = ({ memoryBytes }: GpuCard): number => memoryBytes - driverBytes;

export interface GpuPlan {
  /** All figures are of one card. */
  readonly weightBytes: number;
  /** Of a pass, of the slots, of the sampler. */
  readonly bufferBytes: number;
  readonly workspaceBytes: number;
  /** Left free on purpose. */
  readonly reserveBytes: number;
  /** Keys and values: as many pages as there is room for, at most what all slots can use. */
  readonly kvBytes: number;
  readonly kvPages: number;
  readonly kvTokens: number;
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
  const room = Math.floor((freeBytes - weightBytes - bufferBytes - workspaceBytes - reserved) / pageBytes);
  const fullSequences = Math.floor(room / pagesOf(slotTokens));
  if (fullSequences < 1) return null;
  const kvPages = Math.min(room, slots * pagesOf(slotTokens));
  return {
    weightBytes,
    bufferBytes,
    workspaceBytes,
    reserveBytes: reserved,
    kvBytes: kvPages * pageBytes,
    kvPages,
    kvTokens: kvPages * kvPageTokens,
    slots,
    fullSequences,
  };
}
