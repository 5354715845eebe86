import type { Fp8Keep } from './engine-choices.js';
import type { FalconShape } from './falcon-shape.js';

export type WeightType = 'float32' | 'bfloat16' | 'int8' | 'fp8';

const float32Bytes = 4;
const bfloat16Bytes = 2;
/** Beside a row of 8-bit weights: its float32 scale. */
const scaleBytes = 4;

interface Parts {
  /** Values and rows of the matrices of all layers. */
  readonly matrices: number;
  readonly rows: number;
  /** Values of norms and linear biases. */
  readonly vectors: number;
  /** Values of the embedding, and of the head. */
  readonly embedding: number;
}

function partsOf(shape: FalconShape): Parts {
  const { layers, hiddenSize: hidden, ffnSize: ffn, headDim, queryHeads, kvHeads, vocabSize } = shape;
  const query = queryHeads * headDim;
  const qkv = query + 2 * kvHeads * headDim;
  const rows = qkv + hidden + ffn + hidden;
  const norms = shape.normsPerLayer * 2 * hidden;
  return {
    matrices: layers * (qkv * hidden + hidden * query + 2 * ffn * hidden),
    rows: layers * rows,
    vectors: layers * (norms + (shape.linearBias ? rows : 0)) + 2 * hidden,
    embedding: vocabSize * hidden,
  };
}

/** Trained values of the model; a tied head counts once. */
export function parameterCount(shape: FalconShape): number {
  const { matrices, vectors, embedding } = partsOf(shape);
  return matrices + vectors + (shape.tiedHead ? 1 : 2) * embedding;
}

/**
 * Bytes of the weights as the engine holds them, but for padding to whole tiles. Norms and biases are float32 always; with int8
 * the embedding stays bfloat16 and the head is a matrix of its own in 8 bits, tied or not; with fp8 embedding and head are bfloat16.
 */
export function weightBytes(shape: FalconShape, type: WeightType): number {
  const { matrices, rows, vectors, embedding } = partsOf(shape);
  const vectorBytes = vectors * float32Bytes;
  if (type === 'int8')
    return matrices + embedding + (rows + shape.vocabSize) * scaleBytes + embedding * bfloat16Bytes + vectorBytes;
  const heads = shape.tiedHead ? 1 : 2;
  if (type === 'fp8') return matrices + rows * scaleBytes + heads * embedding * bfloat16Bytes + vectorBytes;
  return (matrices + heads * embedding) * (type === 'float32' ? float32Bytes : bfloat16Bytes) + vectorBytes;
}

/** Values of the matrices of all layers, and of the head: what a token is multiplied with. */
export function matrixValues(shape: FalconShape): { readonly layers: number; readonly head: number } {
  const { matrices, embedding } = partsOf(shape);
  return { layers: matrices, head: embedding };
}

/** Number formats of the layers' matrices on a card. */
export const cardWeights = ['bfloat16', 'fp8', 'int8'] as const;
export type CardWeights = (typeof cardWeights)[number];

/** How the layers' matrices lie on cards. */
export interface CardForm {
  readonly weights: CardWeights;
  /** Cards that share one model. */
  readonly tensorParallel: number;
  /** With fp8: what stays bfloat16. */
  readonly fp8Keep: readonly Fp8Keep[];
}

/** Values of a kind of matrix in all layers, and its rows. */
function keptParts({ layers, hiddenSize, ffnSize, queryHeads, headDim }: FalconShape, kept: Fp8Keep) {
  const rows = layers * hiddenSize;
  return { values: rows * (kept === 'dense' ? queryHeads * headDim : ffnSize), rows };
}

/** Values of the layers' matrices that are held in 8 bits, and in bfloat16. */
export function valuesByWidth(shape: FalconShape, { weights, fp8Keep }: Pick<CardForm, 'weights' | 'fp8Keep'>) {
  const { matrices } = partsOf(shape);
  if (weights === 'bfloat16') return { eightBit: 0, bfloat16: matrices };
  const bfloat16 = fp8Keep.reduce((sum, kept) => sum + keptParts(shape, kept).values, 0);
  return { eightBit: matrices - bfloat16, bfloat16 };
}

/**
 * Bytes of the weights on one of the cards that share a model, as native/cuda/card_plan.h states them. Embedding and head are bfloat16,
 * and whole on each; with 8-bit matrices a float32 scale per row comes on top. The two matrices whose results are summed over the cards
 * have all rows on each.
 */
export function weightBytesOnCard(shape: FalconShape, form: CardForm): number {
  const { rows, vectors, embedding } = partsOf(shape);
  const { eightBit, bfloat16 } = valuesByWidth(shape, form);
  const whole = shape.layers * 2 * shape.hiddenSize;
  const keptRows = form.fp8Keep.reduce((sum, kept) => sum + keptParts(shape, kept).rows, 0);
  const scaled = form.weights === 'bfloat16' ? 0 : (rows - whole) / form.tensorParallel + whole - keptRows;
  const layers = (eightBit + bfloat16 * bfloat16Bytes) / form.tensorParallel + scaled * scaleBytes;
  const heads = shape.tiedHead ? 1 : 2;
  return Math.ceil(layers) + heads * embedding * bfloat16Bytes + vectors * float32Bytes;
}

/** Keys and values of one position in all layers, in bfloat16; twice that with float32 weights. */
export function kvBytesPerToken({ layers, kvHeads, headDim }: FalconShape): number {
  return layers * 2 * kvHeads * headDim * bfloat16Bytes;
}
