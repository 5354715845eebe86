import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseFalconConfig, toFalconShape } from '../../../src/contract/falcon-config.js';
import { projectRoot } from '../../support/project-imports.js';

const shapeOf = (config: object, modelMaxLength: number | null = null) =>
  toFalconShape(parseFalconConfig(config), modelMaxLength);

const rw40 = {
  model_type: 'RefinedWeb',
  n_layer: 60,
  n_head: 128,
  n_head_kv: 8,
  hidden_size: 8192,
  vocab_size: 65_024,
  bias: false,
  parallel_attn: true,
  alibi: false,
};
const rw7 = {
  model_type: 'RefinedWebModel',
  n_layer: 32,
  n_head: 71,
  hidden_size: 4544,
  vocab_size: 65_024,
  multi_query: true,
  parallel_attn: true,
  bias: false,
};

describe('the forms of falcon configs', () => {
  test('40B as RefinedWeb: the old names, no new_decoder_architecture key', () => {
    expect(shapeOf(rw40, 2048)).toEqual({
      layers: 60,
      hiddenSize: 8192,
      queryHeads: 128,
      kvHeads: 8,
      headDim: 64,
      ffnSize: 32_768,
      vocabSize: 65_024,
      contextTokens: 2048,
      layerNormEpsilon: 1e-5,
      ropeTheta: 10_000,
      parallelAttention: true,
      normsPerLayer: 2,
      linearBias: false,
      alibi: false,
      tiedHead: true,
    });
  });

  test('40B as falcon gives the same shape', () => {
    const falcon = {
      model_type: 'falcon',
      num_hidden_layers: 60,
      num_attention_heads: 128,
      num_kv_heads: 8,
      hidden_size: 8192,
      vocab_size: 65_024,
      new_decoder_architecture: true,
    };
    expect(shapeOf(falcon, 2048)).toEqual(shapeOf(rw40, 2048));
  });

  test('7B: one key/value head whatever num_kv_heads says, one norm', () => {
    expect(shapeOf({ ...rw7, num_kv_heads: 71 })).toMatchObject({
      kvHeads: 1,
      headDim: 64,
      normsPerLayer: 1,
      parallelAttention: true,
    });
  });

  test('11B: new decoder with one norm, other theta, untied head', () => {
    const config = {
      model_type: 'falcon',
      num_hidden_layers: 60,
      num_attention_heads: 32,
      num_kv_heads: 8,
      hidden_size: 4096,
      vocab_size: 65_024,
      new_decoder_architecture: true,
      num_ln_in_parallel_attn: 1,
      rope_theta: 500_042,
      tie_word_embeddings: false,
      max_position_embeddings: 8192,
    };
    expect(shapeOf(config)).toMatchObject({
      headDim: 128,
      normsPerLayer: 1,
      ropeTheta: 500_042,
      tiedHead: false,
      contextTokens: 8192,
    });
  });

  test('rw: sequential, alibi, biases, a key/value head per query head', () => {
    const config = {
      model_type: 'falcon',
      num_hidden_layers: 24,
      num_attention_heads: 32,
      hidden_size: 2048,
      vocab_size: 50_304,
      alibi: true,
      bias: true,
      multi_query: false,
      parallel_attn: false,
    };
    expect(shapeOf(config)).toMatchObject({
      kvHeads: 32,
      parallelAttention: false,
      normsPerLayer: 2,
      alibi: true,
      linearBias: true,
    });
  });

  test('theta in rope_parameters, as newer libraries save it', () => {
    expect(shapeOf({ ...rw40, rope_parameters: { rope_type: 'default', rope_theta: 500 } })).toMatchObject({
      ropeTheta: 500,
    });
  });

  test('the smaller of both limits is the context; a huge number means no limit', () => {
    expect(shapeOf({ ...rw40, max_position_embeddings: 8192 }, 2048).contextTokens).toBe(2048);
    expect(shapeOf(rw40, 1e30).contextTokens).toBe(2048);
    expect(shapeOf({ ...rw40, max_position_embeddings: 512 }, null).contextTokens).toBe(512);
  });
});

describe('what is refused, with the key named', () => {
  test.each([
    [{ ...rw40, model_type: 'llama' }, 'model_type'],
    [{ ...rw40, n_layer: undefined }, 'num_hidden_layers'],
    [{ ...rw40, vocab_size: 'many' }, 'vocab_size'],
    [{ ...rw40, activation: 'relu' }, 'activation'],
    [{ ...rw40, rope_scaling: { type: 'linear', factor: 2 } }, 'rope_scaling'],
    [{ ...rw40, apply_residual_connection_post_layernorm: true }, 'apply_residual_connection_post_layernorm'],
    [{ ...rw40, hidden_size: 8191 }, 'hidden_size'],
    [{ ...rw40, n_head_kv: 7 }, 'num_kv_heads'],
    [[], ''],
  ])('%#', (config, key) => {
    expect(() => shapeOf(config)).toThrow(
      expect.objectContaining({ code: 'model_invalid', message: expect.stringContaining(key) as string }),
    );
  });
});

const real = path.join(projectRoot, '../shared/falcon-40b/config.json');
test.skipIf(!existsSync(real))(
  'the published config of Falcon-40B (skipped where ../shared/falcon-40b is missing)',
  () => {
    expect(shapeOf(JSON.parse(readFileSync(real, 'utf8')) as object, 2048)).toEqual(shapeOf(rw40, 2048));
  },
);
