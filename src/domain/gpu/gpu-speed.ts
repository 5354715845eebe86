import type { FalconShape } from '../falcon-shape.js';
import { kvBytesPerToken, matrixValues, valuesByWidth, type CardForm, type CardWeights } from '../model-memory.js';
import type { GpuCard } from './cards.js';

/**
 * How long a pass takes by the card's data sheet and the shares of it that good kernels reach. All of it is computed: docs/gpu.md has
 * what was measured. The shares are those that published measurements of H100 and H200 give.
 */
const shares = {
  /** Of the memory rate: weights through a product of few rows; keys and values in attention; anything at all. */
  weightRead: 0.8,
  kvRead: 0.85,
  read: 0.93,
  /** Of the arithmetic rate: products of up to some hundred rows, of whole packs of prompts, and the best that was seen. */
  smallProduct: { bfloat16: 0.627, fp8: 0.581, int8: 0.581 },
  largeProduct: { bfloat16: 0.657, fp8: 0.616, int8: 0.616 },
  bestProduct: { bfloat16: 0.8, fp8: 0.657, int8: 0.657 },
} as const;

/** Gap between two kernels of a graph, kernels of a layer, and the sampler for one row. */
const launchSeconds = 2e-6;
const launchesPerLayer = 9;
const samplerSecondsPerRow = 1e-6;
/** Start of a sum over cards. */
const linkSeconds = 12e-6;
const linkShare = 0.7;

const bytesOf = { bfloat16: 2, fp8: 1, int8: 1 } as const;

export interface StepTime {
  readonly productSeconds: number;
  readonly kvSeconds: number;
  readonly headSeconds: number;
  /** Norms, GELU, quantising, gaps between kernels, sampler, sums over cards. */
  readonly restSeconds: number;
  readonly seconds: number;
  readonly tokensPerSecond: number;
  /** The time that the card's limits would allow, reading and arithmetic overlapped perfectly. */
  readonly rooflineSeconds: number;
}

function flops(card: GpuCard, weights: CardWeights): number {
  if (weights === 'bfloat16') return card.bfloat16FlopsPerSecond;
  // A card without FP8 is refused before (cardTakes()).
  return weights === 'fp8' ? (card.fp8FlopsPerSecond ?? card.bfloat16FlopsPerSecond) : card.int8OpsPerSecond;
}

type Shares = Readonly<Record<CardWeights, number>>;

/** Seconds of all layers' values, one operation each, by the shares of the card's rates that are reached. */
function secondsPerValue(
  card: GpuCard,
  weights: CardWeights,
  { eightBit, bfloat16 }: ReturnType<typeof valuesByWidth>,
  shareOf: Shares,
): number {
  return eightBit / (shareOf[weights] * flops(card, weights)) + bfloat16 / (shareOf.bfloat16 * flops(card, 'bfloat16'));
}

/** Reading and arithmetic overlap, but not perfectly: where both take equally long, the product takes 19 % longer than either. */
const overlapped = (a: number, b: number): number => (a ** 4 + b ** 4) ** 0.25;

/** Bytes that norms, GELU and quantising move for one row of one layer. */
const rowBytes = ({ hiddenSize, ffnSize }: FalconShape, weights: CardWeights): number =>
  hiddenSize * (4 + 4 + 2 + 2 + 2 * bytesOf[weights]) + ffnSize * (2 + bytesOf[weights]);

/** A pass of `rows` decoding sequences whose context is `contextTokens` on average. */
export function decodeStep(
  shape: FalconShape,
  card: GpuCard,
  rows: number,
  contextTokens: number,
  form: CardForm,
): StepTime {
  const { weights, tensorParallel } = form;
  const { head } = matrixValues(shape);
  const layers = valuesByWidth(shape, form);
  const layerBytes = (layers.eightBit * bytesOf[weights] + layers.bfloat16 * bytesOf.bfloat16) / tensorParallel;
  // Embedding and head are bfloat16 always, and each rank holds all of them.
  const headBytes = head * bytesOf.bfloat16;
  const kvBytes = (rows * contextTokens * kvBytesPerToken(shape)) / tensorParallel;
  const bfloat16Rate = card.bfloat16FlopsPerSecond;
  const readRate = card.bytesPerSecond;
  const arithmeticSeconds = (shareOf: Shares): number =>
    (2 * rows * secondsPerValue(card, weights, layers, shareOf)) / tensorParallel;

  const productSeconds = overlapped(
    layerBytes / (shares.weightRead * readRate),
    arithmeticSeconds(shares.smallProduct),
  );
  const headSeconds = overlapped(
    headBytes / (shares.weightRead * readRate),
    (2 * head * rows) / (shares.smallProduct.bfloat16 * bfloat16Rate),
  );
  const kvSeconds = kvBytes / (shares.kvRead * readRate);
  const restSeconds =
    shape.layers * launchesPerLayer * launchSeconds +
    rows * samplerSecondsPerRow +
    (shape.layers * rows * rowBytes(shape, weights)) / (shares.weightRead * readRate) +
    sumSeconds(shape, card, rows, tensorParallel);
  const seconds = productSeconds + kvSeconds + headSeconds + restSeconds;
  const rooflineSeconds = Math.max(
    (layerBytes + headBytes + kvBytes) / (shares.read * readRate),
    arithmeticSeconds(shares.bestProduct) + (2 * head * rows) / (shares.bestProduct.bfloat16 * bfloat16Rate),
  );
  return {
    productSeconds,
    kvSeconds,
    headSeconds,
    restSeconds,
    seconds,
    tokensPerSecond: rows / seconds,
    rooflineSeconds,
  };
}

/** One sum over all cards per layer, of the rows' partial results in bfloat16. */
function sumSeconds(shape: FalconShape, card: GpuCard, rows: number, ranks: number): number {
  if (ranks === 1) return 0;
  const bytes = (rows * shape.hiddenSize * bytesOf.bfloat16 * 2 * (ranks - 1)) / ranks;
  return shape.layers * (linkSeconds + bytes / (linkShare * card.linkBytesPerSecond));
}

/** Time of one prompt token of a prompt of `promptTokens`, in packs of some thousand. */
function promptTokenSeconds(shape: FalconShape, card: GpuCard, promptTokens: number, form: CardForm): number {
  const { weights, tensorParallel } = form;
  const products = 2 * secondsPerValue(card, weights, valuesByWidth(shape, form), shares.largeProduct);
  // Scores and weighted values: four operations per value of a query head and position attended to.
  const attention = 4 * shape.layers * shape.queryHeads * shape.headDim * (promptTokens / 2);
  return (products + attention / (shares.largeProduct[weights] * flops(card, weights))) / tensorParallel;
}

/** Generated tokens per second of one model when every sequence has `promptTokens` and generates `outputTokens`, `slots` at a time. */
export function outputTokensPerSecond(
  shape: FalconShape,
  card: GpuCard,
  slots: number,
  { promptTokens, outputTokens }: { readonly promptTokens: number; readonly outputTokens: number },
  options: CardForm,
): number {
  const step = decodeStep(shape, card, slots, promptTokens + outputTokens / 2, options);
  const prompt = (promptTokens / outputTokens) * promptTokenSeconds(shape, card, promptTokens, options);
  return 1 / (step.seconds / slots + prompt);
}
