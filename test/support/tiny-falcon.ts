import { rm } from 'node:fs/promises';
import path from 'node:path';
import { onTestFinished } from 'vitest';
import { loadAddon } from '../../src/adapters/engine-native/load-addon.js';
import type {
  NativeEngine,
  NativeEngineOptions,
  NativeModelConfig,
  NativeRequest,
} from '../../src/adapters/engine-native/native-types.js';
import { makeTempFolder } from './temp-folder.js';
import { tensorOf, writeSafetensors, type TensorBytes } from './write-safetensors.js';

/** 40B form: two norms, grouped KV heads, tied head. Every size differs, so that a mix-up cannot fit. */
export const tinyConfig: NativeModelConfig = {
  layers: 2,
  hiddenSize: 48,
  queryHeads: 6,
  kvHeads: 2,
  headDim: 8,
  ffnSize: 80,
  vocabSize: 97,
  contextTokens: 512,
  layerNormEpsilon: 1e-5,
  ropeTheta: 10000,
  parallelAttention: true,
  normsPerLayer: 2,
  linearBias: false,
  alibi: false,
  tiedHead: true,
};

export const END_TOKEN = 11;

/** A small fast generator (mulberry32); [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Seeded noise for every tensor the config calls for, under the names of published checkpoints. */
export function tinyTensors(config: NativeModelConfig = tinyConfig, seed = 1): Map<string, TensorBytes> {
  const random = seededRandom(seed);
  const noise = (shape: readonly number[], center: number, spread: number): TensorBytes => {
    const count = shape.reduce((product, size) => product * size, 1);
    return tensorOf(
      'BF16',
      shape,
      Float32Array.from({ length: count }, () => center + (random() - 0.5) * spread),
    );
  };
  const { hiddenSize: hidden, ffnSize: ffn, headDim, queryHeads, kvHeads, vocabSize } = config;
  const qkv = (queryHeads + 2 * kvHeads) * headDim;
  const tensors = new Map<string, TensorBytes>();
  const norm = (name: string): void => {
    tensors.set(`${name}.weight`, noise([hidden], 1, 0.5));
    tensors.set(`${name}.bias`, noise([hidden], 0, 0.5));
  };
  const linear = (name: string, rows: number, columns: number): void => {
    tensors.set(`${name}.weight`, noise([rows, columns], 0, 4 / Math.sqrt(columns)));
    if (config.linearBias) tensors.set(`${name}.bias`, noise([rows], 0, 0.5));
  };
  tensors.set('transformer.word_embeddings.weight', noise([vocabSize, hidden], 0, 1.2));
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `transformer.h.${layer}`;
    const norms = config.parallelAttention
      ? config.normsPerLayer === 2
        ? ['ln_attn', 'ln_mlp']
        : ['input_layernorm']
      : ['input_layernorm', 'post_attention_layernorm'];
    for (const name of norms) norm(`${prefix}.${name}`);
    linear(`${prefix}.self_attention.query_key_value`, qkv, hidden);
    linear(`${prefix}.self_attention.dense`, hidden, queryHeads * headDim);
    linear(`${prefix}.mlp.dense_h_to_4h`, ffn, hidden);
    linear(`${prefix}.mlp.dense_4h_to_h`, hidden, ffn);
  }
  norm('transformer.ln_f');
  if (!config.tiedHead) tensors.set('lm_head.weight', noise([vocabSize, hidden], 0, 1.2));
  return tensors;
}

/** Token i is the i-th of a list of short strings: letters, pairs of letters, parts of a two-byte character. */
export function tinyTokenBytes(vocabSize = tinyConfig.vocabSize): { bytes: Uint8Array; ends: Uint32Array } {
  const pieces = Array.from({ length: vocabSize }, (_, id) => {
    if (id === END_TOKEN) return Buffer.alloc(0);
    if (id === 12) return Buffer.from([0xc3]);
    if (id === 13) return Buffer.from([0xa9]);
    const letter = String.fromCharCode(97 + (id % 26));
    return Buffer.from(id < 52 ? letter : letter + String.fromCharCode(65 + (id % 26)));
  });
  let end = 0;
  return { bytes: Buffer.concat(pieces), ends: Uint32Array.from(pieces, (piece) => (end += piece.length)) };
}

/** A folder with a tiny checkpoint, removed when the test has finished. */
export async function tinyCheckpoint(
  config: NativeModelConfig = tinyConfig,
  edit: (tensors: Map<string, TensorBytes>) => void = () => undefined,
): Promise<string> {
  const folder = await makeTempFolder();
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const tensors = tinyTensors(config);
  edit(tensors);
  await writeSafetensors(path.join(folder, 'model.safetensors'), tensors);
  return folder;
}

export function tinyOptions(modelDirectory: string, changes: Partial<NativeEngineOptions> = {}): NativeEngineOptions {
  const config = changes.config ?? tinyConfig;
  const { bytes, ends } = tinyTokenBytes(config.vocabSize);
  return {
    modelDirectory,
    config,
    device: 'cpu',
    cuda: null,
    dtype: 'float32',
    isa: 'auto',
    slots: 4,
    slotTokens: config.contextTokens,
    prefillTokens: 128,
    threads: 1,
    stopTokenIds: Uint32Array.of(END_TOKEN),
    tokenBytes: bytes,
    tokenByteEnds: ends,
    ...changes,
  };
}

/** An engine over a tiny checkpoint, closed when the test has finished. */
export async function openTiny(changes: Partial<NativeEngineOptions> = {}): Promise<NativeEngine> {
  const folder = changes.modelDirectory ?? (await tinyCheckpoint(changes.config));
  const engine = await loadAddon().openEngine(tinyOptions(folder, changes), () => undefined);
  onTestFinished(() => engine.close());
  return engine;
}

/** Greedy, 16 tokens, nothing reported; change what the test is about. */
export function tinyRequest(changes: Partial<NativeRequest> = {}): NativeRequest {
  return {
    promptIds: Uint32Array.of(20, 30, 40),
    maxTokens: 16,
    minTokens: 0,
    ignoreEos: true,
    temperature: 0,
    topP: 1,
    topK: 0,
    minP: 0,
    repetitionPenalty: 1,
    frequencyPenalty: 0,
    presencePenalty: 0,
    seed: 1n,
    sequenceKey: 0n,
    stop: [],
    logitBiasIds: new Uint32Array(0),
    logitBiasValues: new Float32Array(0),
    logprobs: -1,
    promptLogprobs: false,
    urgent: false,
    group: 0,
    grammar: null,
    ...changes,
  };
}

/** `count` token ids, the end token left out. */
export function randomPrompt(random: () => number, count: number, vocabSize = tinyConfig.vocabSize): Uint32Array {
  return Uint32Array.from({ length: count }, () => 14 + Math.floor(random() * (vocabSize - 14)));
}
