import type { FalconShape } from '../falcon-shape.js';
import type { CardForm } from '../model-memory.js';

/**
 * What an engine on a card takes beside weights and pages, by the formulas of native/cuda/card_plan.h. That counts what is really allocated;
 * test/golden/card-plans.csv holds the two together.
 */

/** Positions of one page of the cache: native/cuda/kernels/pass.h. */
export const kvPageTokens = 256;

export interface EngineSizes {
  /** Sequences decoded together, and tokens of the longest one. */
  readonly slots: number;
  readonly slotTokens: number;
  /** Rows of the largest pass. */
  readonly passRows: number;
}

export const pagesOf = (tokens: number): number => Math.ceil(tokens / kvPageTokens);

const float32Bytes = 4;
const int32Bytes = 4;
const bfloat16Bytes = 2;
/** Records of native/cuda/kernels/sampler.h: parameters of a slot, a row to draw, what came of it; and a logit bias. */
const slotSamplingBytes = 64;
const sampleRowBytes = 24;
const sampleResultBytes = 176;
const biasBytes = 8;
const biasesPerSlot = 1024;
/** Consecutive rows of a prompt that attend together. */
const tileRows = 8;
/** Rows that get logits at a time. */
const headRowsMin = 64;
const headRowsMax = 256;
/** Token that ends a text: what min_tokens masks. */
const stopIds = 1;

const roundedUp = (value: number, unit: number): number => Math.ceil(value / unit) * unit;

/** Matrix products take rows by 16. */
const rowsUnit = 16;

/** Of one card: residual, rows between the products, results of the products, logits. */
function passBytes(shape: FalconShape, form: CardForm, { passRows, slots }: EngineSizes): number {
  const { hiddenSize: hidden, headDim, vocabSize } = shape;
  const { weights, tensorParallel: ranks, fp8Keep } = form;
  const query = (shape.queryHeads * headDim) / ranks;
  const qkv = query + (2 * shape.kvHeads * headDim) / ranks;
  const ffn = shape.ffnSize / ranks;
  const rows = roundedUp(passRows, rowsUnit);
  const headRows = headRowsAtATime(slots);

  const narrow = weights === 'bfloat16' ? bfloat16Bytes : 1;
  const dense = fp8Keep.includes('dense') ? bfloat16Bytes : narrow;
  const down = fp8Keep.includes('down') ? bfloat16Bytes : narrow;
  const intoProducts = 2 * narrow * hidden + dense * query + (down === bfloat16Bytes ? 0 : ffn);
  const outOfProducts = bfloat16Bytes * (qkv + 2 * hidden + ffn);
  // The products of int8 give integers, which are scaled after them.
  const integers = weights === 'int8' ? int32Bytes * Math.max(qkv, hidden, ffn) : 0;
  const scales = 4 * float32Bytes;
  const gathered = ranks > 1 ? ranks * bfloat16Bytes * hidden : 0;
  const perRow = float32Bytes * hidden + intoProducts + outOfProducts + integers + scales + gathered;
  return rows * perRow + (rows + headRows) * bfloat16Bytes * hidden + headRows * vocabSize * float32Bytes;
}

const headRowsAtATime = (slots: number): number =>
  Math.min(Math.max(roundedUp(slots, rowsUnit), headRowsMin), headRowsMax);

/** Partial results of rows that attend alone: all slots at full length. */
function attentionBytes(shape: FalconShape, ranks: number, { slots, slotTokens }: EngineSizes): number {
  const parts = slots * (shape.queryHeads / ranks) * pagesOf(slotTokens);
  return float32Bytes * (roundedUp(2 * parts, 4) + parts * shape.headDim);
}

/** What the kernels are told of a pass. */
function inputBytes({ slots, slotTokens, passRows }: EngineSizes): number {
  const tiles = Math.floor(passRows / tileRows) + slots;
  const parts = [passRows, passRows, passRows, passRows, slots, 2 * tiles, slots * pagesOf(slotTokens)];
  return int32Bytes * parts.reduce((sum, part) => sum + roundedUp(part, 4), 0);
}

/** Sampling: state of the slots, rows to draw and their bitmaps, results, a copy of the logits; and the table of rotary angles. */
function samplerBytes({ vocabSize, headDim }: FalconShape, { slots, slotTokens, passRows }: EngineSizes): number {
  const countBytes = 2;
  const slotBytes = int32Bytes + vocabSize * countBytes + slotSamplingBytes + biasesPerSlot * biasBytes;
  const state = slots * slotBytes + (stopIds + slotTokens) * int32Bytes;
  const maskBytes = slots * Math.ceil(vocabSize / 32) * int32Bytes;
  const drawn = roundedUp(passRows * sampleRowBytes, 16) + maskBytes + passRows * sampleResultBytes;
  return state + drawn + headRowsAtATime(slots) * vocabSize * float32Bytes + slotTokens * headDim * float32Bytes;
}

export function bufferBytesOnCard(shape: FalconShape, form: CardForm, sizes: EngineSizes): number {
  return (
    passBytes(shape, form, sizes) +
    attentionBytes(shape, form.tensorParallel, sizes) +
    inputBytes(sizes) +
    samplerBytes(shape, sizes)
  );
}
