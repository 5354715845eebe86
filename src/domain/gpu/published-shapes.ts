import type { FalconShape } from '../falcon-shape.js';

const falcon = {
  headDim: 64,
  vocabSize: 65_024,
  contextTokens: 2048,
  layerNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  parallelAttention: true,
  linearBias: false,
  alibi: false,
  tiedHead: true,
} as const;

/** Shapes of the published models that a card can serve, for plans without a checkpoint at hand. */
export const publishedShapes = {
  '7b': {
    ...falcon,
    layers: 32,
    hiddenSize: 4544,
    queryHeads: 71,
    kvHeads: 1,
    ffnSize: 18_176,
    normsPerLayer: 1,
  },
  '11b': {
    ...falcon,
    layers: 60,
    hiddenSize: 4096,
    queryHeads: 32,
    kvHeads: 8,
    headDim: 128,
    ffnSize: 16_384,
    contextTokens: 8192,
    ropeTheta: 500_042,
    normsPerLayer: 1,
    tiedHead: false,
  },
  '40b': {
    ...falcon,
    layers: 60,
    hiddenSize: 8192,
    queryHeads: 128,
    kvHeads: 8,
    ffnSize: 32_768,
    normsPerLayer: 2,
  },
  '180b': {
    ...falcon,
    layers: 80,
    hiddenSize: 14_848,
    queryHeads: 232,
    kvHeads: 8,
    ffnSize: 59_392,
    normsPerLayer: 2,
  },
} as const satisfies Readonly<Record<string, FalconShape>>;
